import type { Weights } from './weights';

/** The selected part of a head's weights: a query's row, a key's column, or none. */
export type WeightSlice =
  | { kind: 'none' }
  | { kind: 'row'; query: number; key: number | null }
  | { kind: 'column'; key: number };

/** Returns the slice for a selected query and key; indexes out of range are ignored. */
export function sliceOf(
  query: number | null,
  key: number | null,
  { queries, keys }: { queries: { length: number }; keys: { length: number } }
): WeightSlice {
  const near = key !== null && key >= 0 && key < keys.length ? key : null;
  if (query !== null && query >= 0 && query < queries.length) {
    return { kind: 'row', query, key: near };
  }
  return near === null ? { kind: 'none' } : { kind: 'column', key: near };
}

/** Returns the query and key whose weight the slice has for a token; null if none. */
export function pairWith(
  question: WeightSlice,
  side: 'query' | 'key',
  index: number
): { query: number; key: number } | null {
  if (question.kind === 'row' && side === 'key') {
    return { query: question.query, key: index };
  }
  return question.kind === 'column' && side === 'query'
    ? { query: index, key: question.key }
    : null;
}

/** Returns the weight of a token in the slice; undefined if unknown. */
export function weightIn(
  question: WeightSlice,
  weights: Weights | null,
  side: 'query' | 'key',
  index: number
): number | undefined {
  const pair = pairWith(question, side, index);
  return pair && weights && weights.known(pair.query, pair.key) !== 'unknown'
    ? weights.at(pair.query, pair.key)
    : undefined;
}
