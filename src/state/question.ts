import type { Sides } from './tokens';
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
  { queries, keys }: Sides
): Question {
  const near = key !== null && key < keys.length ? key : null;
  if (query !== null && query < queries.length) {
    return { kind: 'row', query, key: near };
  }
  return near === null ? { kind: 'none' } : { kind: 'column', key: near };
}

/** The weight that a token of a side has in the answer; undefined where it has none. */
export function answer(
  question: Question,
  weights: Weights | null,
  side: 'query' | 'key',
  index: number
): number | undefined {
  if (!weights) {
    return undefined;
  }
  if (question.kind === 'row' && side === 'key') {
    return weights.at(question.query, index);
  }
  return question.kind === 'column' && side === 'query'
    ? weights.at(index, question.key)
    : undefined;
}
