import type { SiteSummary, TraceSummary } from '../protocol/messages';
import type { Numbers } from './pictures';

/** The weights of one head, exact or read from its thumbnail. */
export interface Weights {
  /** Whether the numbers are the kernel's own; else each is its thumbnail bin's maximum. */
  readonly exact: boolean;
  readonly queries: number;
  readonly keys: number;
  at(query: number, key: number): number;
}

/** Exact weights from an f32 picture of shape (queries, keys). */
export function exactWeights({ shape, data }: Numbers): Weights {
  const [queries = 0, keys = 0] = shape;
  return { exact: true, queries, keys, at: (query, key) => data[query * keys + key] ?? NaN };
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
  return {
    exact: false,
    queries,
    keys,
    at: (query, key) => {
      const at = base + pixel(query, queries, rows) * columns + pixel(key, keys, columns);
      return (data[at] ?? NaN) / 255;
    }
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

/** What the weights of a query lack to one, as where a learned sink takes a share; NaN stays. */
export function restOf(weights: Weights, query: number): number {
  let rest = 1;
  for (let key = 0; key < weights.keys; key++) {
    rest -= weights.at(query, key);
  }
  return rest;
}
