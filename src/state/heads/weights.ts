import type { SiteSummary, TraceSummary } from '../../protocol/messages';
import type { Numbers } from '../kernel/payload-cache';

/** Precision of a number: computed by the kernel, read from a thumbnail, or unknown. */
export type Known = 'exact' | 'rough' | 'unknown';

/** A number and its precision. */
export interface Amount {
  value: number;
  known: Known;
}

/** 1 for each key that is excluded from a sum, otherwise 0; null excludes none. */
export type Mask = Uint8Array | null;

/** The weights of one head, as far as they are known. */
export interface Weights {
  /** Whether every weight is exact. */
  readonly exact: boolean;
  readonly queries: number;
  readonly keys: number;
  /** One weight; meaningless if `known` returns `unknown`. */
  at(query: number, key: number): number;
  known(query: number, key: number): Known;
  /** Visits a query's weights from key `start` to `end`; for a long head, only the heaviest. */
  each(query: number, start: number, end: number, see: (key: number, weight: number) => void): void;
  /** Sum of a query's weights except the masked keys. */
  sum(query: number, without: Mask): Amount;
}

/** Exact weights from a float32 payload of shape (queries, keys). */
export function exactWeights({ shape, data }: Numbers): Weights {
  const [queries = 0, keys = 0] = shape;
  return {
    exact: true,
    queries,
    keys,
    at: (query, key) => data[query * keys + key] ?? NaN,
    known: () => 'exact',
    each: (query, start, end, see) => {
      for (let key = start; key < end; key++) {
        see(key, data[query * keys + key] ?? NaN);
      }
    },
    sum: (query, without) => ({
      value: total(data.subarray(query * keys, (query + 1) * keys), without),
      known: 'exact'
    })
  };
}

/** Sum of a row except the masked keys. */
export function total(row: ArrayLike<number>, without: Mask): number {
  let sum = 0;
  for (let key = 0; key < row.length; key++) {
    sum += without?.[key] ? 0 : (row[key] ?? NaN);
  }
  return sum;
}

/** Weights from thumbnails: in steps of 1/255, and the maximum if tokens share a pixel. */
export function roughWeights(
  { shape, data }: Numbers,
  trace: TraceSummary,
  site: SiteSummary,
  head: number
): Weights {
  const [, rows = 0, columns = 0] = shape;
  const { queries, keys } = site;
  const base = (firstHead(trace, site.index) + head) * rows * columns;
  const at = (query: number, key: number): number => {
    const index = base + pixel(query, queries, rows) * columns + pixel(key, keys, columns);
    return (data[index] ?? NaN) / 255;
  };
  return {
    exact: false,
    queries,
    keys,
    at,
    known: () => 'rough',
    each: (query, start, end, see) => {
      for (let key = start; key < end; key++) {
        see(key, at(query, key));
      }
    },
    // Each pixel is a maximum, so their sum is meaningless.
    sum: () => ({ value: NaN, known: 'unknown' })
  };
}

/** Index of a pixel that shows the token `index`, if `tokens` tokens are drawn on `pixels` pixels. */
function pixel(index: number, tokens: number, pixels: number): number {
  const at = (index * pixels) / tokens;
  return tokens < pixels ? Math.ceil(at) : Math.floor(at);
}

/** Number of heads in all sites before this one: the index of its first thumbnail. */
export function firstHead(trace: TraceSummary, site: number): number {
  return trace.sites.slice(0, site).reduce((count, { heads }) => count + heads, 0);
}
