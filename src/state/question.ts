import type { Weights } from './weights';

/** What is asked of the weights: where a query attends, or who attends to a key. */
export type Question =
  | { kind: 'none' }
  | { kind: 'row'; query: number; key: number | null }
  | { kind: 'column'; key: number };

/** The question that a selection asks. */
export function questionOf(
  query: number | null,
  key: number | null,
  { queries, keys }: { queries: { length: number }; keys: { length: number } }
): Question {
  const near = key !== null && key >= 0 && key < keys.length ? key : null;
  if (query !== null && query >= 0 && query < queries.length) {
    return { kind: 'row', query, key: near };
  }
  return near === null ? { kind: 'none' } : { kind: 'column', key: near };
}

/** The pair of a query and a key that a token of a side makes with what is asked. */
export function pairWith(
  question: Question,
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

/** The weight that a token of a side has in the answer; undefined where none is known. */
export function answer(
  question: Question,
  weights: Weights | null,
  side: 'query' | 'key',
  index: number
): number | undefined {
  const pair = pairWith(question, side, index);
  return pair && weights && weights.known(pair.query, pair.key) !== 'unknown'
    ? weights.at(pair.query, pair.key)
    : undefined;
}
