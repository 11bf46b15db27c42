import { useMemo, useRef } from 'preact/hooks';
import type { TraceSummary } from '../protocol/messages';
import { scoreOf, type Order } from '../state/ordering';
import type { Load, Numbers } from '../state/pictures';
import { useEnv } from './env';

/** One score of all heads, in the order of their thumbnails. */
export interface Column {
  name: string;
  scores: Float32Array;
  /** Whether these are of an older version: their order is kept, their numbers are not shown. */
  old: boolean;
}

export interface ModelScores {
  order: Order;
  /** What the rows are in order of; null for layers, and until scores have come. */
  sort: Column | null;
  /** What bars tell; null for none. */
  bars: Column | null;
  /** The scores, where any is used. */
  load: Load | null;
}

/** The scores that the model view is sorted and coloured by; asks for none that are not used. */
export function useScores(trace: TraceSummary | null): ModelScores {
  const { state } = useEnv();
  const before = useRef<{ like: string; picture: Numbers } | null>(null);
  const order = state.display.sort.value;
  const colour = state.display.colour.value;
  const coloured = colour === 'weights' || colour === 'layer' ? null : colour;
  const used = trace !== null && (order.score !== null || coloured !== null);
  const load = used ? state.scores.value : null;
  // A model that runs again keeps its rows where they are until its new scores are here.
  const like = trace?.sites.map(({ heads }) => heads).join() ?? '';
  if (load?.state === 'ready') {
    before.current = { like, picture: load.picture };
  }
  const old = load?.state === 'pending';
  const kept = before.current?.like === like ? before.current : null;
  const picture = load && load.state !== 'failed' ? (kept?.picture ?? null) : null;
  return {
    order,
    sort: useColumn(picture, order.score, old),
    bars: useColumn(picture, coloured, old),
    load
  };
}

/** One score of a picture; the same object until something of it changes. */
function useColumn(picture: Numbers | null, name: string | null, old: boolean): Column | null {
  const scores = useMemo(() => picture && name !== null && scoreOf(picture, name), [picture, name]);
  return useMemo(
    () => (scores && name !== null ? { name, scores, old } : null),
    [scores, name, old]
  );
}
