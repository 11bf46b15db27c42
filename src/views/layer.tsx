import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { drawThumbnails } from '../draw/thumbnails';
import type { SiteSummary } from '../protocol/messages';
import { useEnv } from './env';
import type { LayerRow } from './rows';
import { useDoubt } from './trust';

/** Space between thumbnails, in pixels; as much again parts groups of heads that share keys. */
export const GAP = 4;

/** Into how many groups that share keys a site's thumbnails are parted; 1 where they are not. */
export function partsOf({ heads, groups }: SiteSummary): number {
  return groups > 1 && groups < heads ? groups : 1;
}

/** Left edges of a site's thumbnails, in pixels. */
export function leftsOf(site: SiteSummary, side: number): number[] {
  const shared = site.heads / partsOf(site);
  return Array.from(
    { length: site.heads },
    (_, head) => head * (side + GAP) + Math.floor(head / shared) * GAP
  );
}

interface LayerProps {
  row: LayerRow;
  side: number;
}

/** One layer's heads: a picture on a canvas, and over it a cell for each head. */
export function Layer({ row: { layer, site, first, nth }, side }: LayerProps) {
  const { t } = useEnv();
  const doubtOf = useDoubt();
  if (!site) {
    return (
      <div class="attnlab-layer attnlab-gap" role="row">
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
    <div class="attnlab-layer" role="row" style={{ height: `${side + GAP}px` }}>
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
      <Heads key={`${site.index} ${site.heads}`} site={site} first={first} side={side} />
    </div>
  );
}

function Heads({ site, first, side }: { site: SiteSummary; first: number; side: number }) {
  const { state, palette } = useEnv();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const near = useNear(box);
  const lefts = useMemo(() => leftsOf(site, side), [site.heads, site.groups, side]);
  const places = useSignal({ lefts, side, first });
  useEffect(() => {
    places.value = { lefts, side, first };
  }, [lefts, side, first]);
  useSignalEffect(() => {
    const load = state.thumbnails.value;
    const { ramp } = palette.value;
    const { first, ...where } = places.value;
    if (!canvas.current) {
      return;
    }
    if (load.state === 'ready' && near.value) {
      drawThumbnails(canvas.current, load.picture, first, where, ramp);
    } else {
      canvas.current.width = 0;
    }
  });
  const width = (lefts.at(-1) ?? 0) + side;
  return (
    <div ref={box} class="attnlab-heads" role="presentation" style={{ width: `${width}px` }}>
      <canvas
        ref={canvas}
        aria-hidden="true"
        style={{ width: `${width}px`, height: `${side}px` }}
      />
      {lefts.map((left, head) => (
        <Cell key={head} site={site} head={head} left={left} side={side} />
      ))}
    </div>
  );
}

interface CellProps {
  site: SiteSummary;
  head: number;
  left: number;
  side: number;
}

/** What a person points at and a screen reader reads: one head. */
function Cell({ site, head, left, side }: CellProps) {
  const { state, t } = useEnv();
  const { focus } = state.selection;
  const index = site.index;
  const chosen = useComputed(() => focus.value.site === index && focus.value.head === head);
  const selected = useComputed(() => (chosen.value ? 'true' : 'false'));
  const tab = useComputed(() => (chosen.value ? 0 : -1));
  return (
    <div
      class="attnlab-thumb"
      role="gridcell"
      aria-label={t('layer %1 head %2', site.layer, head)}
      aria-selected={selected}
      aria-colindex={head + 2}
      tabIndex={tab}
      title={t('layer %1 head %2', site.layer, head)}
      data-testid="attnlab-thumb"
      data-site={index}
      data-head={head}
      style={{ left: `${left}px`, width: `${side}px`, height: `${side}px` }}
    />
  );
}

/** Whether an element is in view or nearly: what is far has no pixels in memory. */
function useNear(box: { current: HTMLElement | null }): ReadonlySignal<boolean> {
  const near = useSignal(true);
  useEffect(() => {
    if (!box.current || typeof IntersectionObserver === 'undefined') {
      return;
    }
    const observer = new IntersectionObserver(
      entries => (near.value = entries.at(-1)?.isIntersecting ?? true),
      { rootMargin: '600px' }
    );
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return near;
}
