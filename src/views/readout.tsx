import { useComputed } from '@preact/signals';
import { printed } from '../draw/number';
import type { PanelState } from '../state/panel';
import { spoken } from './chip';
import { useEnv } from './env';

/** A query, a key and their weight. */
interface Pair {
  query: string;
  key: string;
  weight: number;
  exact: boolean;
}

/** The pair in question; where only one token is, the other is its heaviest. */
function pairOf(state: PanelState, query: number | null, key: number | null): Pair | null {
  const weights = state.weights.value;
  const { queries, keys } = state.sides.value;
  if (!weights || (query === null && key === null)) {
    return null;
  }
  const q = query ?? largest(queries.length, i => weights.at(i, key ?? 0));
  const k = key ?? largest(keys.length, i => weights.at(q, i));
  const [from, to] = [queries[q], keys[k]];
  return from && to
    ? { query: spoken(from), key: spoken(to), weight: weights.at(q, k), exact: weights.exact }
    : null;
}

function largest(length: number, at: (i: number) => number): number {
  let best = 0;
  for (let i = 1; i < length; i++) {
    if (!(at(i) <= at(best))) {
      best = Number.isNaN(at(i)) ? best : i;
    }
  }
  return best;
}

/** The weight in question, in the head view's title. */
export function Readout({ fallback }: { fallback: string }) {
  const { state } = useEnv();
  const { shownQuery, shownKey } = state.selection;
  const pair = useComputed(() => pairOf(state, shownQuery.value, shownKey.value)).value;
  return (
    <span class="attnlab-readout" data-testid="attnlab-readout">
      {pair ? (
        <>
          <bdi class="attnlab-readout-token">{pair.query}</bdi>
          <span aria-hidden="true">→</span>
          <bdi class="attnlab-readout-token">{pair.key}</bdi>
          <b>
            {pair.exact ? '' : '≈'}
            {printed(pair.weight)}
          </b>
        </>
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
  const pair = useComputed(() => pairOf(state, query.value, key.value)).value;
  return (
    <div class="attnlab-hidden" aria-live="polite" data-testid="attnlab-live">
      {pair?.exact && t('%1 attends to %2: %3', pair.query, pair.key, printed(pair.weight))}
    </div>
  );
}
