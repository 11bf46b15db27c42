import { linesOf } from './thumbnail-lines';

/** Thumbnails of all heads: shape (heads, queries, keys), 255 for a weight of 1. */
export interface Atlas {
  shape: readonly number[];
  data: ArrayLike<number>;
}

/** One thumbnail on a canvas, in CSS pixels. */
export interface PlacedThumbnail {
  /** Index of the thumbnail in the atlas. */
  thumbnail: number;
  left: number;
  top: number;
  ramp: Uint32Array;
  /** The part that is drawn; null for all. */
  region: Region | null;
}

/** A range of rows and a range of columns, as shares from 0 to 1. */
export interface Region {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

/** Small matrices, or lines from queries on the left to keys on the right. */
export type ThumbnailMode = 'matrix' | 'lines';

/** The pixels of a thumbnail, and what they were drawn from. */
type CachedThumbnail = Omit<PlacedThumbnail, 'left' | 'top'> & { image: ImageData } & DrawnFrom;

interface DrawnFrom {
  atlas: Atlas;
  pixels: number;
  mode: ThumbnailMode;
}

/** Draws thumbnails on a canvas, which it resizes; reuses the pixels of unchanged thumbnails. */
export class ThumbnailCanvas {
  private cached = new Map<number, CachedThumbnail>();

  draw(
    canvas: HTMLCanvasElement,
    atlas: Atlas,
    thumbnails: readonly PlacedThumbnail[],
    side: number,
    mode: ThumbnailMode
  ): void {
    const scale = devicePixelRatio || 1;
    const [, rows = 0, columns = 0] = atlas.shape;
    const pixels = Math.round(side * scale);
    // In whole pixels, like each thumbnail: a sum of rounded lengths can be one pixel larger.
    const positioned = thumbnails.map(thumbnail => ({
      thumbnail,
      x: Math.round(thumbnail.left * scale),
      y: Math.round(thumbnail.top * scale)
    }));
    const width = positioned.reduce((most, { x }) => Math.max(most, x + pixels), 0);
    const height = positioned.reduce((most, { y }) => Math.max(most, y + pixels), 0);
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${width / scale}px`;
    canvas.style.height = `${height / scale}px`;
    const context = canvas.getContext('2d');
    if (!context || width === 0 || height === 0 || rows === 0 || columns === 0) {
      return;
    }
    const cached = new Map<number, CachedThumbnail>();
    for (const { thumbnail, x, y } of positioned) {
      const entry = this.pixelsOf(thumbnail, { atlas, pixels, mode });
      cached.set(thumbnail.thumbnail, entry);
      context.putImageData(entry.image, x, y);
    }
    this.cached = cached;
  }

  private pixelsOf(
    { thumbnail, ramp, region }: PlacedThumbnail,
    { atlas, pixels, mode }: DrawnFrom
  ): CachedThumbnail {
    const old = this.cached.get(thumbnail);
    const same =
      old?.atlas === atlas &&
      old.pixels === pixels &&
      old.mode === mode &&
      old.ramp === ramp &&
      old.region === region;
    if (same) {
      return old;
    }
    const words = thumbnailPixels(atlas, { thumbnail, ramp, region }, pixels, mode);
    const image = new ImageData(new Uint8ClampedArray(words.buffer as ArrayBuffer), pixels);
    return { thumbnail, ramp, region, atlas, pixels, mode, image };
  }
}

/** One thumbnail as a square of `pixels` × `pixels` little-endian RGBA words, row by row. */
export function thumbnailPixels(
  { shape, data }: Atlas,
  { thumbnail, ramp, region }: Omit<PlacedThumbnail, 'left' | 'top'>,
  pixels: number,
  mode: ThumbnailMode
): Uint32Array {
  const [, rows = 0, columns = 0] = shape;
  const base = thumbnail * rows * columns;
  const of =
    mode === 'matrix'
      ? pooled(data, base, rows, columns, pixels)
      : region
        ? linesOf(cut(data, base, rows, columns, region), 0, rows, columns, pixels)
        : linesOf(data, base, rows, columns, pixels);
  // Outside its region a matrix is transparent, which differs from a weight of zero.
  const clears = region && mode === 'matrix' ? region : null;
  const words = new Uint32Array(pixels * pixels);
  for (let y = 0, at = 0; y < pixels; y++) {
    for (let x = 0; x < pixels; x++, at++) {
      if (!clears || contains(clears, (y + 0.5) / pixels, (x + 0.5) / pixels)) {
        words[at] = ramp[of[at] ?? 0] ?? 0;
      }
    }
  }
  return words;
}

/** Whether a region contains a point, given as shares from 0 to 1. */
export function contains({ rows, columns }: Region, down: number, across: number): boolean {
  return down >= rows[0] && down < rows[1] && across >= columns[0] && across < columns[1];
}

/** The weights of a thumbnail, zero outside the region. */
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
    return contains(region, down, across) ? (data[base + i] ?? 0) : 0;
  });
}

/**
 * One thumbnail as a square of `pixels` × `pixels` bytes.
 *
 * A pixel with several entries shows the largest one, so that a thin diagonal
 * stays visible. With fewer entries than pixels, each entry is a sharp block.
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

/** The first entry of each pixel, and one past the last entry. */
function bins(entries: number, pixels: number): Uint32Array {
  return Uint32Array.from({ length: pixels + 1 }, (_, i) => Math.floor((i * entries) / pixels));
}
