import type { ModelRow } from '../../../figures/model';
import { modelRows, modelScene } from '../../../figures/panel-figures';
import type { LayerGroup } from '../../../state/heads/layer-groups';
import { barLength, type ScoredHead } from '../../../state/heads/ranking';
import { useEnv } from '../../parts/env';
import { FigureMenu } from '../../parts/figure-menu';
import { SortedGrid } from '../grid/sorted-grid';
import type { LayerGrid } from '../grid/layer-grid';
import type { ScoreColumn } from '../scores';

interface ModelFigureProps {
  grid: LayerGrid | SortedGrid;
  bars: ScoreColumn | null;
}

/** The figure of the model view: the thumbnails in the order on screen. */
export function ModelFigure({ grid, bars }: ModelFigureProps) {
  const { state } = useEnv();
  const title = `${state.trace.value?.model ?? ''} · ${state.shown.value?.sequences[0]?.text ?? ''}`;
  const rows = (): ModelRow[] =>
    grid instanceof SortedGrid
      ? sortedRows(grid.heads, grid.columns, bars)
      : layerRows(grid.groups, bars);
  return (
    <FigureMenu
      part="model"
      scene={width => modelScene(state, title, width, rows())}
      rows={() => modelRows(state, rows())}
    />
  );
}

/** One row for each layer. */
function layerRows(groups: readonly LayerGroup[], bars: ScoreColumn | null): ModelRow[] {
  return groups.flatMap(({ rows }) =>
    rows.map(({ layer, site, heads, first }) => ({
      label: String(layer),
      heads: heads.map(head => {
        const thumbnail = first + head;
        const name = String(head);
        return { name, thumbnail, layer, site: site?.index ?? 0, bar: shareOf(thumbnail, bars) };
      })
    }))
  );
}

/** Rows of `columns` heads sorted by a score, each named by its layer and number. */
function sortedRows(
  heads: readonly ScoredHead[],
  columns: number,
  bars: ScoreColumn | null
): ModelRow[] {
  return Array.from({ length: Math.ceil(heads.length / columns) }, (_, row) => ({
    label: '',
    heads: heads.slice(row * columns, (row + 1) * columns).map(({ layer, site, head, index }) => {
      const name = `${layer}.${head}`;
      return { name, thumbnail: index, layer, site, bar: shareOf(index, bars) };
    })
  }));
}

function shareOf(index: number, bars: ScoreColumn | null): number | null {
  return bars && barLength(bars.scores[index] ?? NaN, bars.scores);
}
