import type { Heads } from './heads';
import { pairWith } from './weight-slice';

/** The weight that a token is tinted with. */
export interface Tint {
  weight: number;
  exact: boolean;
}

/**
 * Returns the weight of a token in the selected slice, as shown by the head view; undefined if
 * unknown.
 *
 * @param sides - Whether the token is a query and whether it is a key of the head.
 */
export function tintOf(
  heads: Heads,
  index: number,
  sides: { query: boolean; key: boolean }
): Tint | undefined {
  const question = heads.slice.value;
  const weights = heads.focused.value;
  const { row, column } = positionOf(heads, index, sides);
  const pair =
    (column < 0 ? null : pairWith(question, 'key', column)) ??
    (row < 0 ? null : pairWith(question, 'query', row));
  const known = pair && weights ? weights.known(pair.query, pair.key) : 'unknown';
  return pair && weights && known !== 'unknown'
    ? { weight: weights.at(pair.query, pair.key), exact: known === 'exact' }
    : undefined;
}

/** Returns the row and column of a token in the head view; -1 if it is hidden. */
export function positionOf(
  heads: Heads,
  index: number,
  sides: { query: boolean; key: boolean }
): { row: number; column: number } {
  const reading = heads.axes.value;
  return {
    row: sides.query ? (reading.queries.entryOf[index] ?? -1) : -1,
    column: sides.key ? (reading.keys.entryOf[index] ?? -1) : -1
  };
}
