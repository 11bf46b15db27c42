import type { Heads } from './heads';
import { pairWith } from './question';

/** A weight as the text shows it. */
export interface Tint {
  weight: number;
  exact: boolean;
}

/**
 * The weight of a token in what is selected, as the head view has it: of the pairs, the tokens
 * and the words that are shown. Undefined where none is known.
 *
 * @param sides - On which sides of the head the token stands.
 */
export function tintOf(
  heads: Heads,
  index: number,
  sides: { query: boolean; key: boolean }
): Tint | undefined {
  const question = heads.question.value;
  const weights = heads.focused.value;
  const { row, column } = placeOf(heads, index, sides);
  const pair =
    (column < 0 ? null : pairWith(question, 'key', column)) ??
    (row < 0 ? null : pairWith(question, 'query', row));
  const known = pair && weights ? weights.known(pair.query, pair.key) : 'unknown';
  return pair && weights && known !== 'unknown'
    ? { weight: weights.at(pair.query, pair.key), exact: known === 'exact' }
    : undefined;
}

/** The row and the column of a head view that a token is in; -1 where it is left out. */
export function placeOf(
  heads: Heads,
  index: number,
  sides: { query: boolean; key: boolean }
): { row: number; column: number } {
  const reading = heads.reading.value;
  return {
    row: sides.query ? (reading.queries.of[index] ?? -1) : -1,
    column: sides.key ? (reading.keys.of[index] ?? -1) : -1
  };
}
