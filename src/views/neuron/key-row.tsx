import { useComputed } from '@preact/signals';
import { formatScore } from '../../draw/format-number';
import type { Token } from '../../protocol/messages';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { strength } from '../../state/heads/neuron';
import { useTokenNote, withNote } from '../parts/token-note';
import { spokenText, tokenText, tokenTooltip } from '../parts/token-text';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { WeightBar } from '../parts/weight-bar';
import type { ColorScales } from './color-scales';

interface RowProps {
  id: string;
  index: number;
  token: Token;
  dissected: Breakdown | null;
  scales: ColorScales | null;
  /** The selected dimension; null if none is, or if the head has fewer dimensions. */
  dimension: number | null;
  stripLabel: string;
}

/** One key: its token, the cells of its strips, its scores and its weight. */
export function KeyRow({ id, index, token, dissected, scales, dimension, stripLabel }: RowProps) {
  const { state } = useEnv();
  const { selection, sides } = state;
  const noteOf = useTokenNote();
  const current = useComputed(() => (selection.shownKey.value === index ? '' : undefined));
  const outside = useComputed(() => (state.heads.axes.value.keys.entryOf[index] ?? -1) < 0).value;
  const selected = useComputed(() => (selection.key.value === index ? 'true' : 'false'));
  const { same, written } = sides.value;
  const note = noteOf(token, { index, written: written.key, query: same, outside });
  const query = same && dissected?.query === index;
  const at = dissected && dimension !== null ? index * dissected.vectors.width + dimension : 0;
  return (
    <div
      id={id}
      class="attnlab-neuron-row"
      role="row"
      aria-rowindex={index + 3}
      aria-selected={selected}
      title={withNote(tokenTooltip(index, token), note)}
      data-testid="attnlab-neuron-row"
      data-index={index}
      data-current={current}
      data-query={query || undefined}
      data-outside={outside || undefined}
      data-special={token.special || undefined}
      data-padding={token.padding || undefined}
      data-stale={token.stale}
      style={{ top: `${index * ROW_HEIGHT}px` }}
    >
      <span
        class="attnlab-neuron-token"
        role="rowheader"
        aria-label={withNote(spokenText(token), note)}
      >
        <bdi>{tokenText(token)}</bdi>
      </span>
      <span role="gridcell" data-strip="k" aria-label={stripLabel} />
      <span role="gridcell" data-strip="product" aria-label={stripLabel} />
      {dimension !== null && (
        <>
          <ScoreCell name="k" score={dissected?.vectors.data[at]} scale={scales?.k} />
          <ScoreCell name="product" score={dissected?.products.data[at]} scale={scales?.product} />
        </>
      )}
      {dissected?.neuron.steps.map(({ label, scores }, i) => (
        <ScoreCell key={i} name={label} score={scores[index]} scale={scales?.steps[i]} />
      ))}
      {dissected && <WeightCell weight={dissected.neuron.weights[index] ?? NaN} />}
    </div>
  );
}

/** A weight, as in the head view. */
export function WeightCell({ weight }: { weight: number }) {
  return (
    <span role="gridcell" class="attnlab-row-weight" data-cell="weight" data-value={weight}>
      <WeightBar weight={weight} exact />
    </span>
  );
}

interface ScoreCellProps {
  name: string;
  score: number | undefined;
  scale: number | undefined;
}

/** A score with its color; masked keys have none. */
export function ScoreCell({ name, score, scale = 1 }: ScoreCellProps) {
  const { t } = useEnv();
  if (score === undefined) {
    return <span role="gridcell" class="attnlab-neuron-number" />;
  }
  const masked = score === -Infinity;
  return (
    <span
      role="gridcell"
      class="attnlab-neuron-number"
      data-cell={name}
      data-value={score}
      data-sign={score > 0 ? '+' : score < 0 ? '-' : undefined}
      data-hidden={masked || undefined}
      title={masked ? t('−∞: masked for this query') : `${Number(score.toPrecision(7))}`}
      style={masked ? {} : { '--attnlab-strength': Math.abs(strength(score, scale)).toFixed(3) }}
    >
      {masked ? t('masked') : formatScore(score)}
    </span>
  );
}
