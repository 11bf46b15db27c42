/** What the fake kernel gives of a head at any zoom. */
import { TILE_ONE, type Payload, type SiteSummary } from '../../src/protocol/messages';

/** Pixels along a tile's side. */
const SIDE = 256;

interface Where {
  trace: string;
  item: number;
  site: number;
  head: number;
  level: number;
  y: number;
  x: number;
}

/** A tile as the kernel makes it: exact at level 0, else the largest of 2^level × 2^level. */
export function tileOf(where: Where, { queries, keys }: SiteSummary, weights: Float32Array) {
  const { trace, item, site, head, level, y, x } = where;
  const side = 2 ** level;
  const [top, left] = [y * SIDE * side, x * SIDE * side];
  const rows = Math.min(SIDE, Math.ceil((queries - top) / side));
  const columns = Math.min(SIDE, Math.ceil((keys - left) / side));
  const undefinedYet = TILE_ONE + 1;
  const data =
    level === 0
      ? new Float32Array(rows * columns)
      : new Uint8Array(rows * columns).fill(undefinedYet);
  for (let query = top; query < Math.min(queries, top + rows * side); query++) {
    for (let key = left; key < Math.min(keys, left + columns * side); key++) {
      const at = Math.floor((query - top) / side) * columns + Math.floor((key - left) / side);
      const weight = weights[query * keys + key]!;
      if (level === 0) {
        data[at] = weight;
      } else if (!Number.isNaN(weight)) {
        const before = data[at] === undefinedYet ? 0 : data[at]!;
        data[at] = Math.max(before, Math.round(weight * TILE_ONE));
      }
    }
  }
  const result: Payload = {
    kind: 'tile',
    dtype: level === 0 ? 'f4' : 'u1',
    trace,
    item,
    site,
    head,
    level,
    y,
    x,
    shape: [rows, columns],
    buffer: 0
  };
  return { result, buffers: [data.buffer as ArrayBuffer] };
}
