import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { layerRamps } from '../draw/hues';
import { ThumbnailCanvas } from '../draw/thumbnails';
import { useEnv } from './env';
import type { ModelGrid } from './model-grid';
import type { View } from './size';

/** Pixels past the view in which thumbnails are drawn, and in steps of which that moves. */
const BEYOND = 300;

/**
 * The thumbnails in view and nearly so, under the cells: one canvas for all.
 *
 * A browser gives each canvas in view a layer of its own, and what stands over it another; with
 * a canvas a row it spent most of a frame on putting those together.
 */
export function ModelPicture({ grid, view }: { grid: ModelGrid; view: ReadonlySignal<View> }) {
  const { state, palette } = useEnv();
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useMemo(() => new ThumbnailCanvas(), []);
  const placed = useSignal(grid);
  useLayoutEffect(() => {
    placed.value = grid;
  }, [grid]);
  const ramps = useComputed(() => {
    const { ramp } = palette.value;
    return state.display.colour.value === 'layer' ? layerRamps(palette.value) : () => ramp;
  });
  const left = useComputed(() => before(view.value.left));
  const right = useComputed(() => after(view.value.left + view.value.width));
  const top = useComputed(() => before(view.value.top));
  const bottom = useComputed(() => after(view.value.top + view.value.height));
  useSignalEffect(() => {
    const load = state.thumbnails.value;
    const { value: grid } = placed;
    const { value: ramp } = ramps;
    const { value: regionOf } = state.regions;
    const as = state.display.thumbnails.value;
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
    const spots = near.map(({ head: { index, layer, site }, x, y }) => ({
      thumbnail: index,
      left: x - origin.x,
      top: y - origin.y,
      ramp: ramp(layer),
      region: regionOf?.(site) ?? null
    }));
    drawn.draw(canvas.current, load.picture, spots, side, as);
  });
  return <canvas ref={canvas} class="attnlab-model-picture" aria-hidden="true" />;
}

function before(at: number): number {
  return Math.floor(at / BEYOND) * BEYOND - BEYOND;
}

function after(at: number): number {
  return Math.ceil(at / BEYOND) * BEYOND + BEYOND;
}

/** The device's pixel that a place is on: between two the picture would be blurred. */
function onPixel(at: number): number {
  const scale = devicePixelRatio || 1;
  return Number.isFinite(at) ? Math.floor(at * scale) / scale : 0;
}
