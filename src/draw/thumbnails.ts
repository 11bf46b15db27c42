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
  top: number;
  ramp: Uint32Array;
  /** What of it is drawn; null for all of it. */
  region: Region | null;
}

/** A stretch of a thumbnail's rows and one of its columns, in shares from 0 to 1. */
export interface Region {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

/** As small matrices, or as lines from the queries on the left to the keys on the right. */
export type Look = 'matrix' | 'lines';

/** A thumbnail's pixels, and of what they are. */
type Kept = Omit<Spot, 'left' | 'top'> & { image: ImageData } & Drawn;

interface Drawn {
  atlas: Atlas;
  pixels: number;
  look: Look;
}

/** Draws thumbnails on a canvas as large as they need; those drawn last are kept for the next time. */
export class ThumbnailCanvas {
  private kept = new Map<number, Kept>();

  draw(
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
    const placed = spots.map(spot => ({
      spot,
      x: Math.round(spot.left * scale),
      y: Math.round(spot.top * scale)
    }));
    const width = placed.reduce((most, { x }) => Math.max(most, x + pixels), 0);
    const height = placed.reduce((most, { y }) => Math.max(most, y + pixels), 0);
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${width / scale}px`;
    canvas.style.height = `${height / scale}px`;
    const context = canvas.getContext('2d');
    if (!context || width === 0 || height === 0 || rows === 0 || columns === 0) {
      return;
    }
    const kept = new Map<number, Kept>();
    for (const { spot, x, y } of placed) {
      const own = this.pixelsOf(spot, { atlas, pixels, look });
      kept.set(spot.thumbnail, own);
      context.putImageData(own.image, x, y);
    }
    this.kept = kept;
  }

  private pixelsOf({ thumbnail, ramp, region }: Spot, { atlas, pixels, look }: Drawn): Kept {
    const old = this.kept.get(thumbnail);
    const same =
      old?.atlas === atlas &&
      old.pixels === pixels &&
      old.look === look &&
      old.ramp === ramp &&
      old.region === region;
    if (same) {
      return old;
    }
    const words = thumbnailPixels(atlas, { thumbnail, ramp, region }, pixels, look);
    const image = new ImageData(new Uint8ClampedArray(words.buffer as ArrayBuffer), pixels);
    return { thumbnail, ramp, region, atlas, pixels, look, image };
  }
}

/** One thumbnail as a square of so many pixels: little-endian RGBA words, row by row. */
export function thumbnailPixels(
  { shape, data }: Atlas,
  { thumbnail, ramp, region }: Omit<Spot, 'left' | 'top'>,
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
