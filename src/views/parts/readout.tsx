import { useComputed } from '@preact/signals';
import { formatWeight } from '../../draw/format-number';
import type { VisibleWeights } from '../../state/heads/visible-weights';
import { isRowless } from '../../state/heads/rowless';
import { sliceOf, type WeightSlice } from '../../state/heads/weight-slice';
import type { PanelState } from '../../state/panel/panel';
import { rowlessText } from './token-note';
import { spokenText } from './token-text';
import { useEnv } from './env';
import { useWeightsByHead } from './weights-by-head';

/** A query, a key and their weight. */
interface Pair {
  query: number;
  key: number;
  from: string;
  to: string;
  weight: number;
  exact: boolean;
  /** Whether the query has no row. */
  rowless: boolean;
}

/** The pair in question; with only one token given, the other has the largest weight. */
function pairOf(state: PanelState, question: WeightSlice): Pair | null {
  const weights = state.heads.focused.value;
  const place = weights && placeOf(weights, question);
  if (!place || weights.known(place.query, place.key) === 'unknown') {
    return null;
  }
  const { queries, keys } = state.heads.axes.value;
  const { query, key } = place;
  const [from, to] = [queries.entries[query], keys.entries[key]];
  return from && to
    ? {
        ...place,
        from: spokenText(from.token),
        to: spokenText(to.token),
        weight: weights.at(query, key),
        exact: weights.known(query, key) === 'exact',
        rowless: isRowless(state.heads.weights.value, state.sides.value, from.start)
      }
    : null;
}

function placeOf(
  weights: VisibleWeights,
  question: WeightSlice
): { query: number; key: number } | null {
  if (question.kind === 'none') {
    return null;
  }
  let best = 0;
  let most = -Infinity;
  const see = (index: number, weight: number): void => {
    if (weight > most) {
      [best, most] = [index, weight];
    }
  };
  if (question.kind === 'column') {
    for (let query = 0; query < weights.queries; query++) {
      weights.each(query, question.key, question.key + 1, (_, weight) => see(query, weight));
    }
    return { query: best, key: question.key };
  }
  if (question.key !== null) {
    return { query: question.query, key: question.key };
  }
  weights.each(question.query, 0, weights.keys, see);
  return { query: question.query, key: best };
}

/** The weight in question, in the title of the head view. */
export function Readout({ fallback }: { fallback: string }) {
  const { state, t } = useEnv();
  const weightsOf = useWeightsByHead();
  const pair = useComputed(() => pairOf(state, state.heads.slice.value)).value;
  const partial = state.heads.long.value && state.heads.slice.value.kind === 'column';
  return (
    <span
      class="attnlab-readout"
      data-testid="attnlab-readout"
      title={pair ? (pair.rowless ? rowlessText(t) : weightsOf(pair)) || undefined : undefined}
    >
      {pair?.rowless ? (
        <>
          <bdi class="attnlab-readout-token">{pair.from}</bdi>
          <span aria-hidden="true">→</span>
          <i>{t('no row')}</i>
        </>
      ) : pair ? (
        <>
          <bdi class="attnlab-readout-token">{pair.from}</bdi>
          <span aria-hidden="true">→</span>
          <bdi class="attnlab-readout-token">{pair.to}</bdi>
          <b>
            {pair.exact ? '' : '≈'}
            {formatWeight(pair.weight)}
          </b>
          {partial && <i>{t('from top-k weights only')}</i>}
        </>
      ) : partial ? (
        <i>{t('not in any query’s top-k')}</i>
      ) : (
        fallback
      )}
    </span>
  );
}

/** Announces the selected weight to screen readers; hovered weights are not announced. */
export function Announcement() {
  const { state, t } = useEnv();
  const { query, key } = state.selection;
  const pair = useComputed(() => {
    const { queries, keys } = state.heads.axes.value;
    const entry = (of: Int32Array, token: number | null) =>
      token === null ? null : (of[token] ?? -1);
    const sides = { queries: queries.entries, keys: keys.entries };
    return pairOf(
      state,
      sliceOf(entry(queries.entryOf, query.value), entry(keys.entryOf, key.value), sides)
    );
  }).value;
  return (
    <div class="attnlab-hidden" aria-live="polite" data-testid="attnlab-live">
      {pair?.rowless
        ? `${pair.from}: ${rowlessText(t)}`
        : pair?.exact && t('%1 attends to %2: %3', pair.from, pair.to, formatWeight(pair.weight))}
    </div>
  );
}
