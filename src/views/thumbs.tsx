import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { layerRamps } from '../draw/hues';
import { scored } from '../draw/score';
import { drawThumbnails } from '../draw/thumbnails';
import type { Focus } from '../protocol/messages';
import { barOf, type ModelHead } from '../state/ordering';
import { useEnv } from './env';
import type { Column } from './model-scores';
import { scoreName } from './score-names';

/** After a zoom has rested for so many milliseconds, thumbnails are drawn in their new size. */
const REST = 100;

/** What all thumbnails of the model view have in common. */
export interface Look {
  side: number;
  sort: Column | null;
  bars: Column | null;
  /** The one head that the Tab key leads to. */
  stop: ReadonlySignal<Focus | null>;
}

interface ThumbsProps {
  heads: readonly ModelHead[];
  lefts: readonly number[];
  look: Look;
  /** Column of the first head in the grid. */
  column: number;
  /** What stands under each. */
  labels?: readonly string[];
}

/** Heads side by side: a picture on a canvas, and over it a cell for each head. */
export function Thumbs({ heads, lefts, look, column, labels }: ThumbsProps) {
  const { state, palette } = useEnv();
  const { side, bars } = look;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const near = useNear(box);
  const ramps = useComputed(() => {
    const { ramp } = palette.value;
    return state.display.colour.value === 'layer' ? layerRamps(palette.value) : () => ramp;
  });
  const now = useMemo(() => ({ heads, lefts, side }), [heads, lefts, side]);
  const drawn = useSignal(now);
  useEffect(() => {
    const before = drawn.peek();
    if (before.heads !== heads || before.side === side) {
      drawn.value = now;
      return;
    }
    // While a person zooms the picture is stretched; drawn anew it is once they rest.
    const rest = setTimeout(() => (drawn.value = now), REST);
    return () => clearTimeout(rest);
  }, [now]);
  useSignalEffect(() => {
    const load = state.thumbnails.value;
    const { heads, lefts, side } = drawn.value;
    const ramp = ramps.value;
    const as = state.display.thumbnails.value;
    const regionOf = state.regions.value;
    if (!canvas.current) {
      return;
    }
    if (load.state !== 'ready' || !near.value) {
      canvas.current.width = 0;
      return;
    }
    const spots = heads.map(({ site, index, layer }, i) => ({
      thumbnail: index,
      left: lefts[i] ?? 0,
      ramp: ramp(layer),
      region: regionOf?.(site) ?? null
    }));
    drawThumbnails(canvas.current, load.picture, spots, side, as);
  });
  const width = (lefts.at(-1) ?? 0) + side;
  return (
    <div ref={box} class="attnlab-heads" role="presentation" style={{ width: `${width}px` }}>
      <canvas
        ref={canvas}
        aria-hidden="true"
        style={{ width: `${width}px`, height: `${side}px` }}
      />
      {heads.map((head, i) => (
        <Cell
          key={`${head.site} ${head.head}`}
          of={head}
          left={lefts[i] ?? 0}
          look={look}
          column={column + (labels ? i : head.head)}
          label={labels?.[i]}
        />
      ))}
      {bars &&
        !bars.old &&
        heads.map(({ index }, i) => (
          <span
            key={`bar ${index}`}
            class="attnlab-thumb-bar"
            data-testid="attnlab-thumb-bar"
            aria-hidden="true"
            style={{ left: `${lefts[i]}px`, top: `${side + 1}px`, width: `${side}px` }}
          >
            <span style={{ width: `${100 * barOf(bars.scores[index] ?? NaN, bars.scores)}%` }} />
          </span>
        ))}
    </div>
  );
}

interface CellProps {
  of: ModelHead;
  left: number;
  look: Look;
  column: number;
  label: string | undefined;
}

/** What a person points at and a screen reader reads: one head. */
function Cell({ of, left, look, column, label }: CellProps) {
  const { state, t } = useEnv();
  const { focus, heads } = state.selection;
  const { site, head, layer, index } = of;
  const { side, sort, bars, stop } = look;
  const chosen = useComputed(() => focus.value.site === site && focus.value.head === head);
  const together = useComputed(() => focus.value.site === site && heads.value.includes(head));
  const selected = useComputed(() => (together.value ? 'true' : 'false'));
  const mark = useComputed(() => (chosen.value ? 'focus' : together.value ? 'set' : undefined));
  const other = useComputed(() => {
    const [own, focused] = [state.trace.value?.sites[site], state.site.value];
    const sides = [
      own?.rows === focused?.rows ? [] : 'query',
      own?.columns === focused?.columns ? [] : 'key'
    ];
    return sides.flat().join(' ') || undefined;
  });
  const tab = useComputed(() => (stop.value?.site === site && stop.value.head === head ? 0 : -1));
  const told = [...new Map([sort, bars].flatMap(c => (c ? [[c.name, c] as const] : []))).values()];
  const scores = told.map(({ name, scores, old }) =>
    t(', %1 %2', scoreName(t, name), old ? '…' : scored(scores[index] ?? NaN))
  );
  return (
    <>
      <div
        class="attnlab-thumb"
        role="gridcell"
        aria-label={t('layer %1 head %2', layer, head) + scores.join('')}
        aria-selected={selected}
        aria-colindex={column}
        tabIndex={tab}
        data-mark={mark}
        data-other={other}
        data-testid="attnlab-thumb"
        data-site={site}
        data-head={head}
        style={{ left: `${left}px`, width: `${side}px`, height: `${side}px` }}
      />
      {label !== undefined && (
        <span
          class="attnlab-thumb-label"
          data-testid="attnlab-thumb-label"
          aria-hidden="true"
          style={{ left: `${left}px`, minWidth: `${side}px` }}
        >
          <b>{label}</b>
          {sort && <span>{sort.old ? '…' : scored(sort.scores[index] ?? NaN)}</span>}
        </span>
      )}
    </>
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
