/** What the fake kernel tells of heads that are too long to be sent whole. */
import type { Payload, SiteSummary } from '../../src/protocol/messages';

/** Number of top-k weights of a query, as in the kernel. */
const COUNT = 8;

interface Where {
  trace: string;
  item: number;
  site: number;
  head?: number;
  query?: number;
}

/** The heaviest weights of each query, their keys, and the sum of the others. */
export function topkOf(where: Where, weights: Float32Array, { queries, keys }: SiteSummary) {
  const count = Math.min(COUNT, keys);
  const width = 2 * count + 1;
  const data = new Float32Array(queries * width);
  for (let query = 0; query < queries; query++) {
    const row = weights.subarray(query * keys, (query + 1) * keys);
    const top: number[] = [];
    for (let key = 0; key < keys; key++) {
      const at = top.findIndex(other => row[key]! > row[other]!);
      if (at >= 0 || top.length < count) {
        top.splice(at < 0 ? top.length : at, 0, key);
        top.length = Math.min(top.length, count);
      }
    }
    const entries = data.subarray(query * width, (query + 1) * width);
    const undefinedRow = Number.isNaN(row[0]);
    top.forEach((key, i) => {
      entries[i] = undefinedRow ? NaN : row[key]!;
      entries[count + i] = undefinedRow ? -1 : key;
    });
    const drawn = top.reduce((sum, key) => sum + row[key]!, 0);
    entries[2 * count] = row.reduce((sum, weight) => sum + weight, 0) - drawn;
  }
  return reply('topk', where, [queries, width], data);
}

/** One query's weights in all heads. */
export function rowOf(
  where: Where,
  { heads, keys }: SiteSummary,
  weightsOf: (head: number) => Float32Array
) {
  const data = new Float32Array(heads * keys);
  for (let head = 0; head < heads; head++) {
    const start = where.query! * keys;
    data.set(weightsOf(head).subarray(start, start + keys), head * keys);
  }
  return reply('row', where, [heads, keys], data);
}

function reply(
  kind: 'topk' | 'row',
  { trace, item, site, head = 0, query = 0 }: Where,
  shape: number[],
  data: Float32Array
) {
  const base = { dtype: 'f4', trace, item, site, shape, buffer: 0 } as const;
  const result: Payload = kind === 'topk' ? { kind, ...base, head } : { kind, ...base, query };
  return { result, buffers: [data.buffer as ArrayBuffer] };
}
