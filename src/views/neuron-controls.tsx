import type { Signal } from '@preact/signals';
import { scored } from '../draw/score';
import type { Dissected } from '../state/dissection';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';
import { Turn } from './neuron-pair';
import { useScales } from './neuron-scales';

interface ControlsProps {
  dissected: Dissected | null;
  caret: Signal<Caret | null>;
}

/** The order of the dimensions, what one is rotated with, and how their colours are to be read. */
export function NeuronControls({ dissected, caret }: ControlsProps) {
  const { state, t } = useEnv();
  const order = state.display.neurons;
  const sorted = order.value === 'contribution';
  const scales = useScales(dissected);
  return (
    <div class="attnlab-neuron-controls">
      <button
        type="button"
        class="attnlab-neuron-order"
        data-testid="attnlab-neuron-order"
        aria-pressed={sorted}
        title={t(
          'Dimensions from the one that adds most to the score of the selected key, or else of the heaviest, to the one that takes most off it; not pressed: as the model has them'
        )}
        onClick={() => (order.value = sorted ? 'model' : 'contribution')}
      >
        {t('by contribution')}
      </button>
      <Turn dissected={dissected} caret={caret} />
      {scales && (
        <span
          class="attnlab-neuron-legend"
          data-testid="attnlab-neuron-legend"
          title={t(
            'Blue is positive and stands high, orange is negative and stands low. Strength is tanh(|x| / s), with s = %1 for q, %2 for k and %3 for q × k: twice the root mean square.',
            scored(scales.q),
            scored(scales.k),
            scored(scales.product)
          )}
        >
          <span aria-hidden="true">−</span>
          <span class="attnlab-neuron-ramp" aria-hidden="true" />
          <span aria-hidden="true">+</span>
          <span class="attnlab-neuron-scale">
            {t(
              'tanh(|x|/s) · s: q %1, k %2, q×k %3',
              scored(scales.q),
              scored(scales.k),
              scored(scales.product)
            )}
          </span>
        </span>
      )}
    </div>
  );
}
