import type { Amount, Weights } from './weights';

/** What a query gives to the keys that are not drawn for it. */
export interface Other extends Amount {
  keys: number;
}

/** Weights of which each query's heaviest are drawn, and the rest is one number. */
export interface Drawn extends Weights {
  draws(query: number, key: number): boolean;
  /** What is not drawn of a query; null where all is. */
  other(query: number): Other | null;
}

/**
 * Draws of each query its heaviest weights until they have a share `mass` of all that is
 * shown of it; of 1, all that are known to be drawn.
 */
export function drawn(weights: Weights, mass: number): Drawn {
  const lightest = new Float64Array(weights.queries).fill(-1);
  const cut = (query: number): number => {
    if (mass >= 1) {
      return -Infinity;
    }
    const known = lightest[query] ?? -1;
    return known >= 0 ? known : (lightest[query] = lightestOf(weights, query, mass));
  };
  const draws = (query: number, key: number): boolean => !(weights.at(query, key) < cut(query));
  return {
    ...weights,
    draws,
    other: query => {
      const sum = weights.sum(query, null);
      let count = 0;
      let value = sum.value;
      weights.each(query, 0, weights.keys, (_, weight) => {
        if (!(weight < cut(query))) {
          count++;
          value -= weight;
        }
      });
      const keys = weights.keys - count;
      return keys === 0 || sum.known === 'unknown' || (mass >= 1 && value < ROUNDING)
        ? null
        : { value: Math.max(0, value), keys, known: sum.known };
    },
    each: (query, start, end, see) => {
      const least = cut(query);
      weights.each(query, start, end, (key, weight) => {
        if (!(weight < least)) {
          see(key, weight);
        }
      });
    }
  };
}

/** A share that is smaller is rounding. */
const ROUNDING = 1e-4;

function lightestOf(weights: Weights, query: number, mass: number): number {
  const heavy: number[] = [];
  weights.each(query, 0, weights.keys, (_, weight) => heavy.push(weight));
  const row = Float32Array.from(heavy).sort();
  const { value, known } = weights.sum(query, null);
  const all = known === 'unknown' ? row.reduce((sum, weight) => sum + weight, 0) : value;
  let sum = 0;
  for (let i = row.length - 1; i >= 0; i--) {
    const weight = row[i] ?? 0;
    sum += weight;
    if (sum >= mass * all) {
      return weight;
    }
  }
  return 0;
}
