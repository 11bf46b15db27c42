import { useCallback, useMemo } from 'preact/hooks';
import type { TraceSummary } from '../../../protocol/messages';
import { filtered, groupsOf, type LayerGroup } from '../../../state/heads/layer-groups';
import { headsOf, rankHeads, type ModelHead } from '../../../state/heads/ranking';
import { useEnv } from '../../parts/env';
import { LayerGrid } from './layer-grid';
import { INSET, LABELS, sideOf, sortedLayout } from './layout';
import type { ModelScores } from '../scores';
import { SortedGrid } from './sorted-grid';

interface LaidOut {
  grid: LayerGrid | SortedGrid;
  /** The grid at another zoom. */
  gridAt: (zoom: number) => LayerGrid | SortedGrid;
  /** All heads and all groups of layers, without the filter. */
  every: readonly ModelHead[];
  groups: readonly LayerGroup[];
}

/** Lays out the heads that match the filter: by layer, or sorted by a score. */
export function useModelGrid(
  trace: TraceSummary | null,
  width: number,
  { order, sort, bars }: ModelScores
): LaidOut {
  const { display } = useEnv().state;
  const filter = display.filter.value;
  const zoom = display.zoom.value;
  const every = useMemo(() => (trace ? headsOf(trace) : []), [trace]);
  const groups = useMemo(() => (trace ? groupsOf(trace) : []), [trace]);
  const matching = useMemo(() => filtered(groups, filter), [groups, filter]);
  const sorted = useMemo(
    () => sort && rankHeads(every, sort.scores, order.ascending, filter),
    [every, sort?.scores, sort?.name, order.ascending, filter]
  );
  const room = width - 2 * INSET;
  const gridAt = useCallback(
    (zoom: number) => {
      if (sorted) {
        const layout = sortedLayout(room, zoom);
        return new SortedGrid(sorted, layout, { side: layout.side, bars });
      }
      const rows = matching.flatMap(({ rows }) => rows);
      const side = sideOf(rows, room - LABELS, zoom);
      return new LayerGrid(matching, { side, bars }, groups.length > 1);
    },
    [sorted, matching, groups, room, bars !== null]
  );
  const grid = useMemo(() => gridAt(zoom), [gridAt, zoom]);
  return { grid, gridAt, every, groups };
}
