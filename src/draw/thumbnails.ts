import { linesOf } from './thumbnail-lines';

/** Thumbnails of heads one after the other: (heads, queries, keys), 255 for a weight of 1. */
export interface Atlas {
  shape: readonly number[];
  data: ArrayLike<number>;
}

/** One thumbnail on a canvas, in CSS pixels. */
export interface Spot {
  /** Which thumbnail of the atlas. */
  thumbnail: number;
  left: number;
  ramp: Uint32Array;
}

/** As small matrices, or as lines from the queries on the left to the keys on the right. */
export type Look = 'matrix' | 'lines';

/** Draws thumbnails of this side next to each other. */
export function drawThumbnails(
  canvas: HTMLCanvasElement,
  { shape, data }: Atlas,
  spots: readonly Spot[],
  side: number,
  look: Look
): void {
  const scale = devicePixelRatio || 1;
  const [, rows = 0, columns = 0] = shape;
  const pixels = Math.round(side * scale);
  const width = Math.round(((spots.at(-1)?.left ?? 0) + side) * scale);
  canvas.width = width;
  canvas.height = pixels;
  const context = canvas.getContext('2d');
  if (!context || width === 0 || pixels === 0 || rows === 0 || columns === 0) {
    return;
  }
  const image = context.createImageData(width, pixels);
  const words = new Uint32Array(image.data.buffer);
  const values = look === 'lines' ? linesOf : pooled;
  for (const { thumbnail, left, ramp } of spots) {
    const size = rows * columns;
    const of = values(data, thumbnail * size, rows, columns, pixels);
    const x0 = Math.round(left * scale);
    for (let y = 0, at = 0; y < pixels; y++) {
      for (let x = 0; x < pixels; x++, at++) {
        words[y * width + x0 + x] = ramp[of[at] ?? 0] ?? 0;
      }
    }
  }
  context.putImageData(image, 0, 0);
}

/**
 * One thumbnail as a square of so many pixels.
 *
 * Where it has more entries than pixels, a pixel shows its largest, so that a thin diagonal
 * never vanishes; where it has fewer, an entry is a crisp block of pixels.
 */
function pooled(
  data: ArrayLike<number>,
  base: number,
  rows: number,
  columns: number,
  pixels: number
): Uint8Array {
  const down = bins(rows, pixels);
  const across = bins(columns, pixels);
  const largest = new Uint8Array(columns);
  const out = new Uint8Array(pixels * pixels);
  for (let y = 0; y < pixels; y++) {
    const top = down[y] ?? 0;
    const bottom = Math.max(top + 1, down[y + 1] ?? rows);
    largest.fill(0);
    for (let row = top; row < bottom; row++) {
      for (let i = 0, at = base + row * columns; i < columns; i++, at++) {
        largest[i] = Math.max(largest[i] ?? 0, data[at] ?? 0);
      }
    }
    for (let x = 0; x < pixels; x++) {
      const start = across[x] ?? 0;
      const end = Math.max(start + 1, across[x + 1] ?? columns);
      let value = 0;
      for (let i = start; i < end; i++) {
        value = Math.max(value, largest[i] ?? 0);
      }
      out[y * pixels + x] = value;
    }
  }
  return out;
}

/** First entry under each pixel, and one past the last. */
function bins(entries: number, pixels: number): Uint32Array {
  return Uint32Array.from({ length: pixels + 1 }, (_, i) => Math.floor((i * entries) / pixels));
}
