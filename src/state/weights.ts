import type { SiteSummary, TraceSummary } from '../protocol/messages';
import type { Numbers } from './pictures';

/** How well a number is known: the kernel's own, read from a picture, or not at all. */
export type Known = 'exact' | 'rough' | 'unknown';

/** A number and how well it is known. */
export interface Amount {
  value: number;
  known: Known;
}

/** One for each key that is left out of a sum, else zero; null where none is. */
export type Mask = Uint8Array | null;

/** The weights of one head: the kernel's own, or as far as they are known. */
export interface Weights {
  /** Whether every number is the kernel's own. */
  readonly exact: boolean;
  readonly queries: number;
  readonly keys: number;
  /** One weight; where it is unknown, what this gives means nothing. */
  at(query: number, key: number): number;
  known(query: number, key: number): Known;
  /** Visits a query's weights from key `start` to `end`: of a long head, the heaviest only. */
  each(query: number, start: number, end: number, see: (key: number, weight: number) => void): void;
  /** Sum of a query's weights, save the keys left out. */
  sum(query: number, without: Mask): Amount;
}

/** Exact weights from an f32 picture of shape (queries, keys). */
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

/** Sum of a row, save the keys left out. */
export function total(row: ArrayLike<number>, without: Mask): number {
  let sum = 0;
  for (let key = 0; key < row.length; key++) {
    sum += without?.[key] ? 0 : (row[key] ?? NaN);
  }
  return sum;
}

/** Weights as whole thumbnails know them: to a 255th, and where tokens share a pixel, its largest. */
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
    // Each pixel is a maximum: added up they tell nothing.
    sum: () => ({ value: NaN, known: 'unknown' })
  };
}

/** A pixel that shows the token `index`, of `tokens` on `pixels`; see `Picture`. */
function pixel(index: number, tokens: number, pixels: number): number {
  const at = (index * pixels) / tokens;
  return tokens < pixels ? Math.ceil(at) : Math.floor(at);
}

/** How many heads the sites before this one have: where its thumbnails begin. */
export function firstHead(trace: TraceSummary, site: number): number {
  return trace.sites.slice(0, site).reduce((count, { heads }) => count + heads, 0);
}
