import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { layerRamps } from '../../../draw/layer-colors';
import { ThumbnailCanvas } from '../../../draw/thumbnails';
import { useEnv } from '../../parts/env';
import type { ScrollArea } from '../../parts/scroll-area';
import type { ModelGrid } from '../grid/grid';

/** Distance from the viewport within which thumbnails are drawn; it moves in steps of this. */
const BEYOND = 300;

/**
 * The thumbnails near the viewport, on one canvas under the cells.
 *
 * Browsers composite each canvas, and the elements above it, as separate layers. With one canvas
 * per row, compositing took most of a frame.
 */
export function ModelCanvas({ grid, view }: { grid: ModelGrid; view: ReadonlySignal<ScrollArea> }) {
  const { state, palette } = useEnv();
  const canvas = useRef<HTMLCanvasElement>(null);
  const thumbnails = useMemo(() => new ThumbnailCanvas(), []);
  const current = useSignal(grid);
  useLayoutEffect(() => {
    current.value = grid;
  }, [grid]);
  const ramps = useComputed(() => {
    const { ramp } = palette.value;
    return state.display.colorBy.value === 'layer' ? layerRamps(palette.value) : () => ramp;
  });
  const left = useComputed(() => before(view.value.left));
  const right = useComputed(() => after(view.value.left + view.value.width));
  const top = useComputed(() => before(view.value.top));
  const bottom = useComputed(() => after(view.value.top + view.value.height));
  useSignalEffect(() => {
    const load = state.thumbnails.value;
    const { value: grid } = current;
    const { value: ramp } = ramps;
    const { value: regionOf } = state.regions;
    const mode = state.display.thumbnails.value;
    const [x0, x1, y0, y1] = [left.value, right.value, top.value, bottom.value];
    if (!canvas.current) {
      return;
    }
    if (load.state !== 'ready') {
      canvas.current.width = 0;
      return;
    }
    const { side } = grid;
    const near = grid.heads.flatMap((head, i) => {
      const { x, y } = grid.cornerOf(i);
      return x + side > x0 && x < x1 && y + side > y0 && y < y1 ? { head, x, y } : [];
    });
    const origin = {
      x: onPixel(Math.min(...near.map(({ x }) => x))),
      y: onPixel(Math.min(...near.map(({ y }) => y)))
    };
    canvas.current.style.left = `${origin.x}px`;
    canvas.current.style.top = `${origin.y}px`;
    const placed = near.map(({ head: { index, layer, site }, x, y }) => ({
      thumbnail: index,
      left: x - origin.x,
      top: y - origin.y,
      ramp: ramp(layer),
      region: regionOf?.(site) ?? null
    }));
    thumbnails.draw(canvas.current, load.payload, placed, side, mode);
  });
  return <canvas ref={canvas} class="attnlab-model-picture" aria-hidden="true" />;
}

function before(at: number): number {
  return Math.floor(at / BEYOND) * BEYOND - BEYOND;
}

function after(at: number): number {
  return Math.ceil(at / BEYOND) * BEYOND + BEYOND;
}

/** Rounds down to a whole device pixel: between two pixels the canvas would be blurred. */
function onPixel(at: number): number {
  const scale = devicePixelRatio || 1;
  return Number.isFinite(at) ? Math.floor(at * scale) / scale : 0;
}
