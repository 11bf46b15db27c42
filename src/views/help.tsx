import { useSignal } from '@preact/signals';
import { useEnv } from './env';
import type { Part } from '../state/display';

/** A view's "how to read this": a button for its title, and the text that goes under it. */
export function useHelp(part: Part) {
  const { state, t } = useEnv();
  const open = useSignal(false);
  const id = `${state.id}-help-${part}`;
  return {
    help: (
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
    helped: open.value ? (
      <div class="attnlab-help" id={id} role="note" data-testid="attnlab-help-text">
        <HowTo part={part} />
      </div>
    ) : null
  };
}

/** The formulas are the model's own: which terms there are, the neuron view names. */
function HowTo({ part }: { part: Part }) {
  const { t } = useEnv();
  switch (part) {
    case 'model':
      return (
        <>
          <p>
            {t(
              'Each picture is one head: queries from top to bottom, keys from left to right. The stronger the colour, the more a query attends to a key. Where several tokens share a pixel, it shows the largest weight.'
            )}
          </p>
          <p>{t('A click shows the head below; Shift and a click draws it with the others.')}</p>
        </>
      );
    case 'head':
      return (
        <>
          <p>
            {t(
              'The weight of query i on key j says how much of j goes into what the head writes at i:'
            )}{' '}
            <code>aᵢⱼ = softmaxⱼ(qᵢ · kⱼ / √d + …)</code>
          </p>
          <p>
            {t(
              'Point at a query to see where it attends, or at a key to see who attends to it; a click keeps it, Escape lets go.'
            )}
          </p>
        </>
      );
    case 'neuron':
      return (
        <>
          <p>
            {t(
              'How the weights of one query come about: its vector q times each key’s vector k, dimension by dimension, sums up to the score. The model’s own terms change it one after the other; the softmax over all keys gives the weights.'
            )}{' '}
            <code>q·k = Σ q × k</code>
          </p>
          <p>{t('Blue is positive, orange negative, and strength is magnitude.')}</p>
        </>
      );
  }
}
