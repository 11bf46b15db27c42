import { useMemo, useRef } from 'preact/hooks';
import type { TraceSummary } from '../../protocol/messages';
import type { HeadOrder } from '../../state/view-state/head-filter';
import { scoreOf } from '../../state/heads/ranking';
import type { Load, Numbers } from '../../state/kernel/payload-cache';
import { useEnv } from '../parts/env';

/** One score of all heads, in the order of their thumbnails. */
export interface ScoreColumn {
  name: string;
  scores: Float32Array;
  /** Whether the scores are of an older trace: their order is kept, their values are hidden. */
  old: boolean;
}

export interface ModelScores {
  order: HeadOrder;
  /** The scores that sort the heads; null in order of layers, and until the scores load. */
  sort: ScoreColumn | null;
  /** The scores that the bars show; null for no bars. */
  bars: ScoreColumn | null;
  /** The request for scores; null while none are used. */
  load: Load | null;
}

/** The scores that sort and color the model view; requested only while they are used. */
export function useScores(trace: TraceSummary | null): ModelScores {
  const { state } = useEnv();
  const before = useRef<{ like: string; payload: Numbers } | null>(null);
  const order = state.display.sort.value;
  const color = state.display.colorBy.value;
  const colored = color === 'weights' || color === 'layer' ? null : color;
  const used = trace !== null && (order.score !== null || colored !== null);
  const load = used ? state.scores.value : null;
  // When the model runs again, heads keep their order until the new scores load.
  const like = trace?.sites.map(({ heads }) => heads).join() ?? '';
  if (load?.state === 'ready') {
    before.current = { like, payload: load.payload };
  }
  const old = load?.state === 'pending';
  const kept = before.current?.like === like ? before.current : null;
  const payload = load && load.state !== 'failed' ? (kept?.payload ?? null) : null;
  return {
    order,
    sort: useColumn(payload, order.score, old),
    bars: useColumn(payload, colored, old),
    load
  };
}

/** One score of all heads; the same object until it changes. */
function useColumn(payload: Numbers | null, name: string | null, old: boolean): ScoreColumn | null {
  const scores = useMemo(() => payload && name !== null && scoreOf(payload, name), [payload, name]);
  return useMemo(
    () => (scores && name !== null ? { name, scores, old } : null),
    [scores, name, old]
  );
}
