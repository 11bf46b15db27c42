import { FULL_HEAD_LIMIT, type SiteSummary } from '../../protocol/messages';
import type { Numbers } from '../kernel/payload-cache';
import { total, type Amount, type Mask, type Weights } from './weights';

/** Whether a site's heads are too large to be fetched whole: more than 1 MiB each. */
export function isLong({ queries, keys }: SiteSummary): boolean {
  return queries * keys > FULL_HEAD_LIMIT ** 2;
}

/** A remainder below this is a rounding error. */
const ROUNDING = 1e-6;

/**
 * Weights of a long head from the top-k weights of each query, which are exact; the others come
 * from `rough`, or are unknown.
 *
 * @param topk - Payload of shape (queries, 2k + 1): weights, their keys, and the remainder.
 */
export function longWeights(
  { shape, data }: Numbers,
  rough: Weights | null,
  keys: number
): Weights {
  const [queries = 0, width = 1] = shape;
  const count = (width - 1) / 2;
  const find = (query: number, key: number): number => {
    const base = query * width;
    if (Number.isNaN(data[base])) {
      return base; // all weights of this query are NaN
    }
    for (let i = 0; i < count; i++) {
      if (data[base + count + i] === key) {
        return base + i;
      }
    }
    return -1;
  };
  const sum = (query: number, without: Mask): Amount => {
    const base = query * width;
    const rest = data[base + width - 1] ?? NaN;
    let missing = without ? total(without, null) : 0;
    let value = 0;
    for (let i = 0; i < count; i++) {
      const key = data[base + count + i] ?? -1;
      if (key >= 0 && without?.[key]) {
        missing--;
      } else if (key >= 0) {
        value += data[base + i] ?? NaN;
      }
    }
    if (missing === 0 || rest < ROUNDING) {
      return { value: value + rest, known: 'exact' };
    }
    // No missing weight is heavier than the lightest known one.
    return missing <= count ? { value: value + rest, known: 'rough' } : { value, known: 'unknown' };
  };
  return {
    exact: false,
    queries,
    keys,
    at: (query, key) => {
      const found = find(query, key);
      return found < 0 ? (rough?.at(query, key) ?? NaN) : (data[found] ?? NaN);
    },
    known: (query, key) =>
      find(query, key) >= 0 ? 'exact' : (rough?.known(query, key) ?? 'unknown'),
    each: (query, start, end, see) => {
      const base = query * width;
      for (let i = 0; i < count; i++) {
        const key = data[base + count + i] ?? -1;
        if (key >= start && key < end) {
          see(key, data[base + i] ?? NaN);
        }
      }
    },
    sum
  };
}

/** Weights of a long head from its thumbnail alone: numbers without curves. */
export function withoutCurves(rough: Weights): Weights {
  return { ...rough, each: () => undefined };
}

/**
 * Replaces the weights of one query by its exact row.
 *
 * @param row - Payload of shape (heads, keys).
 */
export function withRow(weights: Weights, query: number, row: Numbers, head: number): Weights {
  const [, keys = 0] = row.shape;
  const exact = row.data.subarray(head * keys, (head + 1) * keys);
  return {
    ...weights,
    at: (q, key) => (q === query ? (exact[key] ?? NaN) : weights.at(q, key)),
    known: (q, key) => (q === query ? 'exact' : weights.known(q, key)),
    each: (q, start, end, see) => {
      if (q !== query) {
        weights.each(q, start, end, see);
        return;
      }
      for (let key = start; key < end; key++) {
        see(key, exact[key] ?? NaN);
      }
    },
    sum: (q, without) =>
      q === query ? { value: total(exact, without), known: 'exact' } : weights.sum(q, without)
  };
}
