import { useComputed, type Signal } from '@preact/signals';
import { scored } from '../draw/score';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';
import { useRotated } from './neuron-pair';

/** The numbers of the dimension under the pointer or the caret, or else of the selected one. */
export function NeuronReadout({ caret }: { caret: Signal<Caret | null> }) {
  const { state, t } = useEnv();
  const { selection, dissection } = state;
  const describe = useRotated();
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
  const said = useComputed(() => {
    const rotated = dissection.shown.value?.rotated.get(caret.value?.dimension ?? -1);
    const turn = describe(rotated);
    return caret.value?.byKey ? text.value + (turn && ` · ${turn}`) : '';
  });
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
