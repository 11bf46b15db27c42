import type { Numbers } from '../kernel/payload-cache';
import { TILE } from '../kernel/payload-key';

/** A rectangle of a matrix, in weights; may be fractional, ends are exclusive. */
export interface MatrixPart {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** Position of a tile in the pyramid. */
export interface TilePosition {
  level: number;
  y: number;
  x: number;
}

/**
 * Returns the finest level whose pixels are at least as large as a device pixel: drawing skips
 * none of them, so that a thin diagonal stays visible.
 *
 * @param pixels - Device pixels per weight.
 */
export function levelFor(pixels: number): number {
  return pixels >= 1 ? 0 : Math.ceil(-Math.log2(pixels) - 1e-9);
}

/** Returns the tiles of a level that overlap a part of the matrix, row by row. */
export function tilesIn(
  part: MatrixPart,
  queries: number,
  keys: number,
  level: number
): TilePosition[] {
  const side = TILE * 2 ** level;
  const last = { y: Math.ceil(queries / side), x: Math.ceil(keys / side) };
  const places: TilePosition[] = [];
  const [bottom, right] = [Math.ceil(part.bottom / side), Math.ceil(part.right / side)];
  for (let y = Math.max(0, Math.floor(part.top / side)); y < Math.min(last.y, bottom); y++) {
    for (let x = Math.max(0, Math.floor(part.left / side)); x < Math.min(last.x, right); x++) {
      places.push({ level, y, x });
    }
  }
  return places;
}

/** Returns the level at which one tile contains the whole matrix. */
export function topLevel(queries: number, keys: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(queries, keys, 1) / TILE)));
}

/** Max-pools a matrix in blocks of 2^level × 2^level weights; NaN if all weights of a block are. */
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
