import { useComputed } from '@preact/signals';
import { scored } from '../draw/score';
import type { Token } from '../protocol/messages';
import type { Dissected } from '../state/dissection';
import { strength } from '../state/neuron';
import { Bar } from './bar';
import { noted, shown, spoken, titled } from './chip';
import { useEnv } from './env';
import type { Scales } from './neuron-scales';
import { ROW } from './row';
import { useTokenNote } from './token-note';

interface RowProps {
  id: string;
  index: number;
  token: Token;
  dissected: Dissected | null;
  scales: Scales | null;
  /** The selected dimension, where the head has it. */
  neuron: number | null;
  onStrips: string;
}

/** One key: its token, the places of its strips, its scores and its weight. */
export function NeuronRow({ id, index, token, dissected, scales, neuron, onStrips }: RowProps) {
  const { state } = useEnv();
  const { selection, sides } = state;
  const noteOf = useTokenNote();
  const own = useComputed(() => (selection.shownKey.value === index ? '' : undefined));
  const outside = useComputed(() => (state.heads.reading.value.keys.of[index] ?? -1) < 0).value;
  const kept = useComputed(() => (selection.key.value === index ? 'true' : 'false'));
  const note = noteOf(token, index, sides.value.written.key, outside);
  const query = sides.value.same && dissected?.query === index;
  const at = dissected && neuron !== null ? index * dissected.vectors.width + neuron : 0;
  return (
    <div
      id={id}
      class="attnlab-neuron-row"
      role="row"
      aria-rowindex={index + 3}
      aria-selected={kept}
      title={noted(titled(index, token), note)}
      data-testid="attnlab-neuron-row"
      data-index={index}
      data-own={own}
      data-query={query || undefined}
      data-outside={outside || undefined}
      data-special={token.special || undefined}
      data-padding={token.padding || undefined}
      style={{ top: `${index * ROW}px` }}
    >
      <span class="attnlab-neuron-token" role="rowheader" aria-label={noted(spoken(token), note)}>
        <bdi>{shown(token)}</bdi>
      </span>
      <span role="gridcell" data-strip="k" aria-label={onStrips} />
      <span role="gridcell" data-strip="product" aria-label={onStrips} />
      {neuron !== null && (
        <>
          <Score name="k" score={dissected?.vectors.data[at]} scale={scales?.k} />
          <Score name="product" score={dissected?.products.data[at]} scale={scales?.product} />
        </>
      )}
      {dissected?.neuron.steps.map(({ label, scores }, i) => (
        <Score key={i} name={label} score={scores[index]} scale={scales?.steps[i]} />
      ))}
      {dissected && <Weight weight={dissected.neuron.weights[index] ?? NaN} />}
    </div>
  );
}

/** A weight as in the head view. */
export function Weight({ weight }: { weight: number }) {
  return (
    <span role="gridcell" class="attnlab-row-weight" data-cell="weight" data-value={weight}>
      <Bar weight={weight} exact />
    </span>
  );
}

interface ScoreProps {
  name: string;
  score: number | undefined;
  scale: number | undefined;
}

/** A signed number; a key that is hidden from the query has none. */
export function Score({ name, score, scale = 1 }: ScoreProps) {
  const { t } = useEnv();
  if (score === undefined) {
    return <span role="gridcell" class="attnlab-neuron-number" />;
  }
  const hidden = score === -Infinity;
  return (
    <span
      role="gridcell"
      class="attnlab-neuron-number"
      data-cell={name}
      data-value={score}
      data-sign={score > 0 ? '+' : score < 0 ? '-' : undefined}
      data-hidden={hidden || undefined}
      title={hidden ? t('−∞: hidden from this query') : `${Number(score.toPrecision(7))}`}
      style={hidden ? {} : { '--attnlab-strength': Math.abs(strength(score, scale)).toFixed(3) }}
    >
      {hidden ? t('hidden') : scored(score)}
    </span>
  );
}
