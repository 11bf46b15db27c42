import { useComputed, type Signal } from '@preact/signals';
import { scored } from '../draw/score';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';

/** The numbers of the dimension under the pointer or the caret, or else of the selected one. */
export function NeuronReadout({ caret }: { caret: Signal<Caret | null> }) {
  const { state, t } = useEnv();
  const { selection, dissection } = state;
  const text = useComputed(() => {
    const shown = dissection.shown.value;
    const dimension = caret.value?.dimension ?? selection.neuron.value;
    const q = shown && dimension !== null ? shown.neuron.q[dimension] : undefined;
    if (!shown || dimension === null || q === undefined) {
      return '';
    }
    const key = selection.shownKey.value;
    if (key === null || key >= shown.vectors.keys) {
      return t('dimension %1: q %2', dimension, scored(q));
    }
    const at = key * shown.vectors.width + dimension;
    return t(
      'dimension %1: %2 × %3 = %4',
      dimension,
      scored(q),
      scored(shown.vectors.data[at] ?? NaN),
      scored(shown.products.data[at] ?? NaN)
    );
  });
  const said = useComputed(() => (caret.value?.byKey ? text.value : ''));
  return (
    <>
      <span class="attnlab-readout" data-testid="attnlab-neuron-readout">
        {text}
      </span>
      <span class="attnlab-hidden" aria-live="polite">
        {said}
      </span>
    </>
  );
}
