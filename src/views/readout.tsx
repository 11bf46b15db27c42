import { useComputed } from '@preact/signals';
import { printed } from '../draw/number';
import type { Drawn } from '../state/mass';
import type { PanelState } from '../state/panel';
import { questionOf, type Question } from '../state/question';
import { spoken } from './chip';
import { useEnv } from './env';
import { useWeightsOf } from './weights-of';

/** A row, a column and their weight. */
interface Pair {
  query: number;
  key: number;
  from: string;
  to: string;
  weight: number;
  exact: boolean;
}

/** The pair in question; where only one token is, the other is its heaviest. */
function pairOf(state: PanelState, question: Question): Pair | null {
  const weights = state.heads.focused.value;
  const place = weights && placeOf(weights, question);
  if (!place || weights.known(place.query, place.key) === 'unknown') {
    return null;
  }
  const { queries, keys } = state.heads.reading.value;
  const { query, key } = place;
  const [from, to] = [queries.entries[query], keys.entries[key]];
  return from && to
    ? {
        ...place,
        from: spoken(from.token),
        to: spoken(to.token),
        weight: weights.at(query, key),
        exact: weights.known(query, key) === 'exact'
      }
    : null;
}

function placeOf(weights: Drawn, question: Question): { query: number; key: number } | null {
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

/** The weight in question, in the head view's title. */
export function Readout({ fallback }: { fallback: string }) {
  const { state, t } = useEnv();
  const weightsOf = useWeightsOf();
  const pair = useComputed(() => pairOf(state, state.heads.question.value)).value;
  const partial = state.heads.long.value && state.heads.question.value.kind === 'column';
  return (
    <span
      class="attnlab-readout"
      data-testid="attnlab-readout"
      title={pair ? weightsOf(pair) || undefined : undefined}
    >
      {pair ? (
        <>
          <bdi class="attnlab-readout-token">{pair.from}</bdi>
          <span aria-hidden="true">→</span>
          <bdi class="attnlab-readout-token">{pair.to}</bdi>
          <b>
            {pair.exact ? '' : '≈'}
            {printed(pair.weight)}
          </b>
          {partial && <i>{t('heaviest only')}</i>}
        </>
      ) : partial ? (
        <i>{t('among no query’s heaviest')}</i>
      ) : (
        fallback
      )}
    </span>
  );
}

/** The selected weight, read aloud when it changes; what is only hovered is not. */
export function Announcement() {
  const { state, t } = useEnv();
  const { query, key } = state.selection;
  const pair = useComputed(() => {
    const { queries, keys } = state.heads.reading.value;
    const entry = (of: Int32Array, token: number | null) =>
      token === null ? null : (of[token] ?? -1);
    const sides = { queries: queries.entries, keys: keys.entries };
    return pairOf(
      state,
      questionOf(entry(queries.of, query.value), entry(keys.of, key.value), sides)
    );
  }).value;
  return (
    <div class="attnlab-hidden" aria-live="polite" data-testid="attnlab-live">
      {pair?.exact && t('%1 attends to %2: %3', pair.from, pair.to, printed(pair.weight))}
    </div>
  );
}
