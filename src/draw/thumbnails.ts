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
  /** What of it is drawn; all of it where none is given. */
  region?: Region | null;
}

/** A stretch of a thumbnail's rows and one of its columns, in shares from 0 to 1. */
export interface Region {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

/** As small matrices, or as lines from the queries on the left to the keys on the right. */
export type Look = 'matrix' | 'lines';

/** Draws thumbnails of this side next to each other. */
export function drawThumbnails(
  canvas: HTMLCanvasElement,
  atlas: Atlas,
  spots: readonly Spot[],
  side: number,
  look: Look
): void {
  const scale = devicePixelRatio || 1;
  const [, rows = 0, columns = 0] = atlas.shape;
  const pixels = Math.round(side * scale);
  // Of whole pixels, as each spot is: the sum of two rounded lengths may be one more than both.
  const width = Math.round((spots.at(-1)?.left ?? 0) * scale) + pixels;
  canvas.width = width;
  canvas.height = pixels;
  const context = canvas.getContext('2d');
  if (!context || width === 0 || pixels === 0 || rows === 0 || columns === 0) {
    return;
  }
  const image = context.createImageData(width, pixels);
  const words = new Uint32Array(image.data.buffer);
  for (const spot of spots) {
    const own = thumbnailPixels(atlas, spot, pixels, look);
    const x0 = Math.round(spot.left * scale);
    for (let y = 0; y < pixels; y++) {
      words.set(own.subarray(y * pixels, (y + 1) * pixels), y * width + x0);
    }
  }
  context.putImageData(image, 0, 0);
}

/** One thumbnail as a square of so many pixels: little-endian RGBA words, row by row. */
export function thumbnailPixels(
  { shape, data }: Atlas,
  { thumbnail, ramp, region }: Omit<Spot, 'left'>,
  pixels: number,
  look: Look
): Uint32Array {
  const [, rows = 0, columns = 0] = shape;
  const base = thumbnail * rows * columns;
  const of =
    look === 'matrix'
      ? pooled(data, base, rows, columns, pixels)
      : region
        ? linesOf(cut(data, base, rows, columns, region), 0, rows, columns, pixels)
        : linesOf(data, base, rows, columns, pixels);
  // A matrix keeps its place: what is not drawn of it stays clear, and is no weight of zero.
  const clears = region && look === 'matrix' ? region : null;
  const words = new Uint32Array(pixels * pixels);
  for (let y = 0, at = 0; y < pixels; y++) {
    for (let x = 0; x < pixels; x++, at++) {
      if (!clears || holds(clears, (y + 0.5) / pixels, (x + 0.5) / pixels)) {
        words[at] = ramp[of[at] ?? 0] ?? 0;
      }
    }
  }
  return words;
}

/** Whether a region has a point, in shares from 0 to 1. */
export function holds({ rows, columns }: Region, down: number, across: number): boolean {
  return down >= rows[0] && down < rows[1] && across >= columns[0] && across < columns[1];
}

/** A thumbnail's weights, with none outside the region. */
function cut(
  data: ArrayLike<number>,
  base: number,
  rows: number,
  columns: number,
  region: Region
): Uint8Array {
  return Uint8Array.from({ length: rows * columns }, (_, i) => {
    const [down, across] = [
      (Math.floor(i / columns) + 0.5) / rows,
      ((i % columns) + 0.5) / columns
    ];
    return holds(region, down, across) ? (data[base + i] ?? 0) : 0;
  });
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
