import { useSignal } from '@preact/signals';
import type { PanelPart } from '../../state/view-state/display';
import { useEnv } from './env';

/** The help of a view: a button for its title, and the text below the title while it is open. */
export function useHelp(part: PanelPart) {
  const { state, t } = useEnv();
  const open = useSignal(false);
  const id = `${state.id}-help-${part}`;
  return {
    helpButton: (
      <button
        type="button"
        class="attnlab-help-button"
        data-testid="attnlab-help"
        data-part={part}
        aria-label={t('How to read this')}
        title={t('How to read this')}
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => (open.value = !open.value)}
      >
        ?
      </button>
    ),
    helpText: open.value ? (
      <div class="attnlab-help" id={id} role="note" data-testid="attnlab-help-text">
        <HowTo part={part} />
      </div>
    ) : null
  };
}

/** Explains how to read a view. The neuron view itself names the score terms of the model. */
function HowTo({ part }: { part: PanelPart }) {
  const { t } = useEnv();
  switch (part) {
    case 'model':
      return (
        <>
          <p>
            {t(
              'Each thumbnail is one head: queries run from top to bottom, keys from left to right. The stronger the color, the more a query attends to a key. Where several weights share a pixel, it shows the largest one.'
            )}
          </p>
          <p>
            {t('Click a head to show it below; Shift+click to draw it together with the others.')}
          </p>
        </>
      );
    case 'head':
      return (
        <>
          <p>
            {t(
              'The weight of query i on key j is the share of j’s value in the head’s output at i:'
            )}{' '}
            <code>aᵢⱼ = softmaxⱼ(qᵢ · kⱼ / √d + …)</code>
          </p>
          <p>
            {t(
              'Hover over a query to see which keys it attends to, or over a key to see which queries attend to it. Click to select it; press Escape to clear the selection.'
            )}
          </p>
        </>
      );
    case 'neuron':
      return (
        <>
          <p>
            {t(
              'How the weights of one query are computed: the products of its vector q with each key’s vector k, dimension by dimension, sum to the score. The model’s other terms then change the score, one after another; the softmax over all keys gives the weights.'
            )}{' '}
            <code>q·k = Σ q × k</code>
          </p>
          <p>
            {t('Blue is positive, orange is negative; a stronger color means a larger magnitude.')}
          </p>
        </>
      );
  }
}
