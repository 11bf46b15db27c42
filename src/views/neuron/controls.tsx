import type { Signal } from '@preact/signals';
import { formatScore } from '../../draw/format-number';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { useEnv } from '../parts/env';
import type { Caret } from './caret';
import { RotaryNote } from './rotary-pair';
import { useColorScales } from './color-scales';

interface ControlsProps {
  dissected: Breakdown | null;
  caret: Signal<Caret | null>;
}

/** The order of the dimensions, the rotary pair of the current one, and the color legend. */
export function NeuronControls({ dissected, caret }: ControlsProps) {
  const { state, t } = useEnv();
  const order = state.display.dimensionOrder;
  const sorted = order.value === 'contribution';
  const scales = useColorScales(dissected);
  return (
    <div class="attnlab-neuron-controls">
      <button
        type="button"
        class="attnlab-neuron-order"
        data-testid="attnlab-neuron-order"
        aria-pressed={sorted}
        title={t(
          'Sort dimensions by q × k, most positive first, for the selected key or else the key with the largest weight. Off: the model’s order.'
        )}
        onClick={() => (order.value = sorted ? 'model' : 'contribution')}
      >
        {t('by contribution')}
      </button>
      <RotaryNote dissected={dissected} caret={caret} />
      {scales && (
        <span
          class="attnlab-neuron-legend"
          data-testid="attnlab-neuron-legend"
          title={t(
            'Positive values are blue and drawn high, negative values are orange and drawn low. Color strength is tanh(|x| / s), where s is twice the root mean square: %1 for q, %2 for k, %3 for q × k.',
            formatScore(scales.q),
            formatScore(scales.k),
            formatScore(scales.product)
          )}
        >
          <span aria-hidden="true">−</span>
          <span class="attnlab-neuron-ramp" aria-hidden="true" />
          <span aria-hidden="true">+</span>
          <span class="attnlab-neuron-scale">
            {t(
              'tanh(|x|/s) · s: q %1, k %2, q×k %3',
              formatScore(scales.q),
              formatScore(scales.k),
              formatScore(scales.product)
            )}
          </span>
        </span>
      )}
    </div>
  );
}
