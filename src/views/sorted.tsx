import { useMemo } from 'preact/hooks';
import type { SiteSummary, TraceSummary } from '../protocol/messages';
import type { ScoredHead } from '../state/ordering';
import { useEnv } from './env';
import { spaced } from './group';
import type { SortedGrid } from './model-grid';
import { GAP, LABEL, lineHeight, rowsIn, type Band } from './model-layout';
import { Thumbs, type Look } from './thumbs';

interface SortedProps {
  trace: TraceSummary;
  grid: SortedGrid;
  look: Look;
  band: Band | null;
}

/** All heads in order of a score, in lines of as many as fit. */
export function Sorted({ trace, grid, look, band }: SortedProps) {
  const { state, t } = useEnv();
  const { heads, columns: across } = grid;
  const { pitch } = grid.lines;
  const rows = useMemo(
    () =>
      Array.from({ length: Math.ceil(heads.length / across) }, (_, row) =>
        heads.slice(row * across, (row + 1) * across)
      ),
    [heads, across]
  );
  const lefts = useMemo(() => Array.from({ length: across }, (_, i) => i * pitch), [across, pitch]);
  const height = lineHeight(look);
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
      {spaced(
        rows.map((row, i) =>
          (i >= start && i < end) || row.some(of => of.site === site && of.head === head) ? (
            <div
              key={i}
              class="attnlab-sorted-row"
              role="row"
              aria-rowindex={i + 1}
              style={{ height: `${height}px`, '--attnlab-label-top': `${height - GAP - LABEL}px` }}
            >
              <Thumbs
                heads={row}
                lefts={row.length < across ? lefts.slice(0, row.length) : lefts}
                look={look}
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
