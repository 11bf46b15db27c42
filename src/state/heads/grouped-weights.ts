import type { Axis } from './axis';
import type { HeadAxes } from './head-axes';
import type { Amount, Known, Weights } from './weights';

const ONE: Amount = { value: 1, known: 'exact' };

/**
 * Groups weights by the rows and columns of a head's axes.
 *
 * The tokens of a word are summed as keys and averaged as queries. If special tokens are hidden,
 * each query's weights are divided by the sum over all other keys of both sentences; a sentence
 * filter only selects, it does not renormalize.
 */
export function groupWeights(raw: Weights, reading: HeadAxes): Weights {
  if (reading.isIdentity) {
    return raw;
  }
  const { queries, keys, hidden, excluded: outside } = reading;
  const scales: (Amount | undefined)[] = [];
  const scale = (query: number): Amount =>
    hidden ? (scales[query] ??= raw.sum(query, hidden)) : ONE;
  /** If all weights are zero, so are all shares. */
  const share = (weight: number, query: number): number => weight / (scale(query).value || 1);
  const sums = new Float64Array(keys.entries.length);
  return {
    exact: raw.exact,
    queries: queries.entries.length,
    keys: keys.entries.length,
    at: (row, column) => {
      const [from, to] = [spanOf(queries, row), spanOf(keys, column)];
      let sum = 0;
      for (let query = from.start; query < from.end; query++) {
        for (let key = to.start; key < to.end; key++) {
          sum += share(raw.at(query, key), query);
        }
      }
      return sum / (from.end - from.start);
    },
    known: (row, column) => {
      const [from, to] = [spanOf(queries, row), spanOf(keys, column)];
      const single = from.end - from.start === 1 && to.end - to.start === 1;
      let known: Known = 'exact';
      for (let query = from.start; query < from.end; query++) {
        known = worse(known, scale(query).known);
        for (let key = to.start; key < to.end; key++) {
          known = worse(known, raw.known(query, key));
        }
      }
      // A pixel is the maximum of its weights, so sums and shares of pixels are meaningless.
      return known === 'rough' &&
        !(single && (!hidden || raw.known(from.start, to.start) === 'exact'))
        ? 'unknown'
        : known;
    },
    each: (row, start, end, see) => {
      const from = spanOf(queries, row);
      const [first, last] = [keys.entries[start], keys.entries[end - 1]];
      if (!first || !last) {
        return;
      }
      sums.fill(0, start, end);
      const count = from.end - from.start;
      for (let query = from.start; query < from.end; query++) {
        raw.each(query, first.start, last.end, (key, weight) => {
          const column = keys.entryOf[key] ?? -1;
          if (column >= 0) {
            sums[column] = (sums[column] ?? 0) + share(weight, query) / count;
          }
        });
      }
      for (let column = start; column < end; column++) {
        const weight = sums[column] ?? 0;
        if (weight !== 0) {
          see(column, weight);
        }
      }
    },
    sum: row => {
      const from = spanOf(queries, row);
      let value = 0;
      let known: Known = 'exact';
      for (let query = from.start; query < from.end; query++) {
        const sum = raw.sum(query, outside);
        value += share(sum.value, query) / (from.end - from.start);
        known = worse(worse(known, sum.known), scale(query).known);
      }
      return { value, known };
    }
  };
}

function spanOf(axis: Axis, index: number): { start: number; end: number } {
  return axis.entries[index] ?? { start: 0, end: 0 };
}

const ORDER: readonly Known[] = ['exact', 'rough', 'unknown'];

function worse(a: Known, b: Known): Known {
  return ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b;
}
