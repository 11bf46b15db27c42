import type { Breakdown } from '../../state/heads/query-breakdown';
import { useEnv } from '../parts/env';
import type { ColorScales } from './color-scales';
import { ScoreCell, WeightCell } from './key-row';

interface SinkRowProps {
  dissected: Breakdown | null;
  dimension: number | null;
  scales: ColorScales | null;
  width: number;
}

/** The learned sink: part of the softmax like a key, but without a vector. */
export function SinkRow({ dissected, dimension, scales, width }: SinkRowProps) {
  const { t } = useEnv();
  const { sink, steps } = dissected?.neuron ?? {};
  if (!sink || !steps) {
    return null;
  }
  return (
    <div
      class="attnlab-neuron-row attnlab-neuron-sink"
      role="row"
      data-testid="attnlab-neuron-sink"
      title={t(
        'The head’s learned sink is part of the softmax like a key; its weight goes to no key.'
      )}
      style={{ width: `${width}px` }}
    >
      <span class="attnlab-neuron-token" role="rowheader">
        {t('learned sink')}
      </span>
      {Array.from({ length: 2 + (dimension === null ? 0 : 2) + steps.length - 1 }, (_, i) => (
        <span key={i} role="gridcell" />
      ))}
      <ScoreCell name="sink" score={sink.score} scale={scales?.steps.at(-1)} />
      <WeightCell weight={sink.weight} />
    </div>
  );
}
