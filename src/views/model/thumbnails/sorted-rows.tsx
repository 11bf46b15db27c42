import { useMemo } from 'preact/hooks';
import type { SiteSummary, TraceSummary } from '../../../protocol/messages';
import type { ScoredHead } from '../../../state/heads/ranking';
import { useEnv } from '../../parts/env';
import { withSpacers } from './layer-group';
import { GAP, LABEL, sortedRowHeight, rowsIn, type Band } from '../grid/layout';
import type { SortedGrid } from '../grid/sorted-grid';
import { Thumbnails, type ThumbnailAppearance } from './thumbnails';

interface SortedRowsProps {
  trace: TraceSummary;
  grid: SortedGrid;
  appearance: ThumbnailAppearance;
  band: Band | null;
}

/** All heads sorted by a score, as many in a row as fit. */
export function SortedRows({ trace, grid, appearance, band }: SortedRowsProps) {
  const { state, t } = useEnv();
  const { heads, columns } = grid;
  const { pitch } = grid.layout;
  const rows = useMemo(
    () =>
      Array.from({ length: Math.ceil(heads.length / columns) }, (_, row) =>
        heads.slice(row * columns, (row + 1) * columns)
      ),
    [heads, columns]
  );
  const lefts = useMemo(
    () => Array.from({ length: columns }, (_, i) => i * pitch),
    [columns, pitch]
  );
  const height = sortedRowHeight(appearance);
  const heights = rows.map(() => height);
  const { start, end } = rowsIn(band, heights, 0);
  const { site, head } = band ? state.selection.focus.value : { site: -1, head: -1 };
  const several = new Set(trace.sites.map(({ kind }) => kind)).size > 1;
  const letters: Record<SiteSummary['kind'], string> = {
    encoder: t('E'),
    decoder: t('D'),
    cross: t('X')
  };
  const label = (of: ScoredHead): string => {
    const kind = trace.sites[of.site]?.kind;
    return `${several && kind ? letters[kind] : ''}${of.layer}.${of.head}`;
  };
  return (
    <div class="attnlab-sorted" role="rowgroup">
      {withSpacers(
        rows.map((row, i) =>
          (i >= start && i < end) || row.some(of => of.site === site && of.head === head) ? (
            <div
              key={i}
              class="attnlab-sorted-row"
              role="row"
              aria-rowindex={i + 1}
              style={{ height: `${height}px`, '--attnlab-label-top': `${height - GAP - LABEL}px` }}
            >
              <Thumbnails
                heads={row}
                lefts={row.length < columns ? lefts.slice(0, row.length) : lefts}
                appearance={appearance}
                column={1}
                labels={row.map(label)}
              />
            </div>
          ) : null
        ),
        heights
      )}
    </div>
  );
}
