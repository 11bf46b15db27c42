import { useMemo, useRef } from 'preact/hooks';
import type { SiteSummary, TraceSummary } from '../protocol/messages';
import type { ScoredHead } from '../state/ordering';
import { useEnv } from './env';
import { spaced } from './group';
import { BAR, GAP, LABEL, rowsIn, type Band, type Lines } from './model-layout';
import { Thumbs, type Look } from './thumbs';
import { useTicks } from './ticks';

interface SortedProps {
  trace: TraceSummary;
  heads: readonly ScoredHead[];
  lines: Lines;
  look: Look;
  band: Band | null;
}

/** Height of a line of thumbnails with their labels. */
export function lineHeight({ side, bars }: Look): number {
  return side + LABEL + GAP + (bars ? BAR : 0);
}

/** All heads in order of a score, in lines of as many as fit. */
export function Sorted({ trace, heads, lines: { side, pitch, across }, look, band }: SortedProps) {
  const { state, t } = useEnv();
  const box = useRef<HTMLDivElement>(null);
  // A token is at one place of all thumbnails only where all are of the same texts.
  const [first, ...others] = trace.sites;
  const alike = others.every(site => site.rows === first?.rows && site.columns === first.columns);
  useTicks(box, alike ? (first ?? null) : null, side);
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
  if (heads.length === 0) {
    return <p class="attnlab-soft">{t('No head is left by the filter.')}</p>;
  }
  return (
    <div class="attnlab-sorted" role="rowgroup" ref={box}>
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
