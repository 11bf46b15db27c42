import type { Numbers } from './pictures';
import { TILE } from './wish';

/** A part of a matrix in weights, ends excluded; fractions are parts of a weight. */
export interface Part {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** Which tile: see `Picture` in the protocol. */
export interface Place {
  level: number;
  y: number;
  x: number;
}

/**
 * The finest level of which no pixel is smaller than one of the screen, so that none is left
 * out when it is drawn and a thin diagonal never vanishes.
 *
 * @param pixels - Device pixels along a weight's side.
 */
export function levelFor(pixels: number): number {
  return pixels >= 1 ? 0 : Math.ceil(-Math.log2(pixels) - 1e-9);
}

/** The tiles of a level that show any of a part of the matrix, row by row. */
export function tilesIn(part: Part, queries: number, keys: number, level: number): Place[] {
  const side = TILE * 2 ** level;
  const last = { y: Math.ceil(queries / side), x: Math.ceil(keys / side) };
  const places: Place[] = [];
  const [bottom, right] = [Math.ceil(part.bottom / side), Math.ceil(part.right / side)];
  for (let y = Math.max(0, Math.floor(part.top / side)); y < Math.min(last.y, bottom); y++) {
    for (let x = Math.max(0, Math.floor(part.left / side)); x < Math.min(last.x, right); x++) {
      places.push({ level, y, x });
    }
  }
  return places;
}

/** The level at which one tile holds the whole matrix. */
export function topLevel(queries: number, keys: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(queries, keys, 1) / TILE)));
}

/** A matrix in pixels of 2^level × 2^level weights, each its largest; NaN where none is a number. */
export function pooled(whole: Numbers, level: number): Numbers {
  if (level === 0) {
    return whole;
  }
  const side = 2 ** level;
  const [queries = 0, keys = 0] = whole.shape;
  const [rows, columns] = [Math.ceil(queries / side), Math.ceil(keys / side)];
  const data = new Float32Array(rows * columns).fill(NaN);
  for (let query = 0, at = 0; query < queries; query++) {
    const base = Math.floor(query / side) * columns;
    for (let key = 0; key < keys; key++, at++) {
      const pixel = base + Math.floor(key / side);
      const [weight, largest] = [whole.data[at] ?? NaN, data[pixel] ?? NaN];
      if (Number.isNaN(largest) || weight > largest) {
        data[pixel] = weight;
      }
    }
  }
  return { shape: [rows, columns], data };
}
