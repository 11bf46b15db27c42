import type { Amount, Weights } from './weights';

/** The summed weight of the keys that are not drawn for a query. */
export interface Remainder extends Amount {
  keys: number;
}

/** Weights of which only the heaviest of each query are drawn; the remainder is one number. */
export interface VisibleWeights extends Weights {
  isVisible(query: number, key: number): boolean;
  /** The remainder of a query; null if all of its weights are drawn. */
  remainder(query: number): Remainder | null;
}

/**
 * Selects the heaviest weights of each query whose sum reaches a share of the query's total.
 *
 * @param mass - The share; 1 selects all known weights.
 */
export function visibleWeights(weights: Weights, mass: number): VisibleWeights {
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
    isVisible: draws,
    remainder: query => {
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

/** A smaller remainder is a rounding error. */
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
