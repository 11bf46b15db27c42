import type { SiteSummary } from '../../../protocol/messages';
import { headsIn, type LayerRow } from '../../../state/heads/layer-groups';
import { useEnv } from '../../parts/env';
import { useVerificationNote } from '../../parts/site-verification';
import { leftsOf } from '../grid/layout';
import { Thumbnails, type ThumbnailAppearance } from './thumbnails';

interface LayerProps {
  row: LayerRow;
  appearance: ThumbnailAppearance;
  height: number;
  /** Number of the row in the grid, from 1. */
  index: number;
}

/** One layer: its number and its heads. */
export function LayerRowCells({ row, appearance, height, index }: LayerProps) {
  const { layer, site, nth } = row;
  const { t } = useEnv();
  const noteOf = useVerificationNote();
  if (!site) {
    return (
      <div class="attnlab-layer attnlab-gap" role="row" aria-rowindex={index}>
        <span class="attnlab-layer-label" role="rowheader">
          {layer}
        </span>
        <span role="gridcell" class="attnlab-soft">
          {t('no attention')}
        </span>
      </div>
    );
  }
  const note = noteOf(site);
  const name = nth === 0 ? t('layer %1', layer) : t('layer %1, call %2', layer, nth + 1);
  return (
    <div class="attnlab-layer" role="row" aria-rowindex={index} style={{ height: `${height}px` }}>
      <span
        class="attnlab-layer-label"
        role="rowheader"
        aria-label={note ? `${name}, ${note.word}: ${note.reason}` : name}
        title={note ? `${site.name}\n${note.word}: ${note.reason}` : site.name}
        data-testid="attnlab-layer"
        data-verification={note?.verification}
      >
        {layer}
        {nth > 0 && <span class="attnlab-call-number">·{nth + 1}</span>}
      </span>
      <Heads key={`${site.index} ${site.heads}`} row={row} site={site} appearance={appearance} />
    </div>
  );
}

function Heads({
  row,
  site,
  appearance
}: {
  row: LayerRow;
  site: SiteSummary;
  appearance: ThumbnailAppearance;
}) {
  const lefts = leftsOf(site, appearance.side, row.heads);
  return <Thumbnails heads={headsIn(row)} lefts={lefts} appearance={appearance} column={2} />;
}
