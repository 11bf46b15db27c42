import { useComputed, type Signal } from '@preact/signals';
import { formatScore } from '../../draw/format-number';
import { useEnv } from '../parts/env';
import type { Caret } from './caret';
import { useRotaryText } from './rotary-pair';

/** The numbers of the dimension under the pointer or caret, or else of the selected dimension. */
export function NeuronReadout({ caret }: { caret: Signal<Caret | null> }) {
  const { state, t } = useEnv();
  const { selection, breakdown: dissection } = state;
  const describe = useRotaryText();
  const text = useComputed(() => {
    const shown = dissection.shown.value;
    const dimension = caret.value?.dimension ?? selection.dimension.value;
    const q = shown && dimension !== null ? shown.neuron.q[dimension] : undefined;
    if (!shown || dimension === null || q === undefined) {
      return '';
    }
    const key = selection.shownKey.value;
    if (key === null || key >= shown.vectors.keys) {
      return t('dimension %1: q %2', dimension, formatScore(q));
    }
    const at = key * shown.vectors.width + dimension;
    return t(
      'dimension %1: %2 × %3 = %4',
      dimension,
      formatScore(q),
      formatScore(shown.vectors.data[at] ?? NaN),
      formatScore(shown.products.data[at] ?? NaN)
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
