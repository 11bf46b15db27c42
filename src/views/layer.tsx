import type { SiteSummary } from '../protocol/messages';
import { useEnv } from './env';
import { leftsOf } from './model-layout';
import { headsIn, type LayerRow } from './rows';
import { Thumbs, type Look } from './thumbs';
import { useDoubt } from './trust';

interface LayerProps {
  row: LayerRow;
  look: Look;
  height: number;
  /** The row's number in the grid, from 1. */
  index: number;
}

/** One layer's heads, with its number. */
export function Layer({ row, look, height, index }: LayerProps) {
  const { layer, site, nth } = row;
  const { t } = useEnv();
  const doubtOf = useDoubt();
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
  const doubt = doubtOf(site);
  const name = nth === 0 ? t('layer %1', layer) : t('layer %1, call %2', layer, nth + 1);
  return (
    <div class="attnlab-layer" role="row" aria-rowindex={index} style={{ height: `${height}px` }}>
      <span
        class="attnlab-layer-label"
        role="rowheader"
        aria-label={doubt ? `${name}, ${doubt.word}: ${doubt.reason}` : name}
        title={doubt ? `${site.name}\n${doubt.word}: ${doubt.reason}` : site.name}
        data-testid="attnlab-layer"
        data-trust={doubt?.trust}
      >
        {layer}
        {nth > 0 && <span class="attnlab-nth">·{nth + 1}</span>}
      </span>
      <Heads key={`${site.index} ${site.heads}`} row={row} site={site} look={look} />
    </div>
  );
}

function Heads({ row, site, look }: { row: LayerRow; site: SiteSummary; look: Look }) {
  const lefts = leftsOf(site, look.side, row.heads);
  return <Thumbs heads={headsIn(row)} lefts={lefts} look={look} column={2} />;
}
