import { WHOLE, type SiteSummary } from '../protocol/messages';
import type { Numbers } from './pictures';
import { total, type Amount, type Mask, type Weights } from './weights';

/** Whether a site's heads are too large to be fetched whole: of more than 1 MB. */
export function isLong({ queries, keys }: SiteSummary): boolean {
  return queries * keys > WHOLE ** 2;
}

/** What is left out of a query's heaviest weights is nothing below this: rounding. */
const ROUNDING = 1e-6;

/**
 * A long head by the heaviest weights of each query, which are exact; the others are as
 * `rough` has them, or unknown.
 *
 * @param edges - A picture of kind `edges`: (queries, 2k + 1).
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
      return base; // no weight of this query is a number
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
    // None of the missing is heavier than the lightest that is here.
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

/** Nothing but thumbnails of a long head: its numbers, and no curves. */
export function withoutCurves(rough: Weights): Weights {
  return { ...rough, each: () => undefined };
}

/**
 * Weights with one query's exact row laid over them.
 *
 * @param row - A picture of kind `row`: (heads, keys).
 */
export function withRow(weights: Weights, query: number, row: Numbers, head: number): Weights {
  const [, keys = 0] = row.shape;
  const own = row.data.subarray(head * keys, (head + 1) * keys);
  return {
    ...weights,
    at: (q, key) => (q === query ? (own[key] ?? NaN) : weights.at(q, key)),
    known: (q, key) => (q === query ? 'exact' : weights.known(q, key)),
    each: (q, start, end, see) => {
      if (q !== query) {
        weights.each(q, start, end, see);
        return;
      }
      for (let key = start; key < end; key++) {
        see(key, own[key] ?? NaN);
      }
    },
    sum: (q, without) =>
      q === query ? { value: total(own, without), known: 'exact' } : weights.sum(q, without)
  };
}
