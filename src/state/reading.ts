import { axisOf, type Axis } from './axis';
import { inPairs, secondSentence, type Pairs } from './sentences';
import type { Sides } from './tokens';
import type { Mask } from './weights';

/** What a person has chosen of a head's tokens. */
export interface Choice {
  pairs: Pairs;
  hideSpecial: boolean;
  words: boolean;
}

/** A head's two sides as they are shown, and what that does to its weights. */
export interface Reading {
  queries: Axis;
  keys: Axis;
  /** Keys that are hidden, so that each row is renormalised over the others. */
  hidden: Mask;
  /** Keys that have no column: the hidden ones, and those of the other sentence. */
  outside: Mask;
  /** Whether every token is a row and a column of its own. */
  plain: boolean;
  /** Where the second sentence begins; null for none. */
  boundary: number | null;
}

/** How a site's two sides are shown. */
export function readingOf({ queries, keys, same }: Sides, choice: Choice): Reading {
  const boundary = same ? secondSentence(keys) : null;
  const hides = choice.hideSpecial && keys.some(({ special }) => special);
  const axis = (side: 'query' | 'key'): Axis => {
    const tokens = side === 'query' ? queries : keys;
    const keeps = (index: number): boolean =>
      !(choice.hideSpecial && tokens[index]?.special) &&
      inPairs(choice.pairs, side, index, boundary);
    return axisOf(tokens, keeps, choice.words);
  };
  const [rows, columns] = [axis('query'), axis('key')];
  const outside = Uint8Array.from(columns.of, entry => (entry < 0 ? 1 : 0));
  return {
    queries: rows,
    keys: columns,
    hidden: hides ? Uint8Array.from(keys, ({ special }) => (special ? 1 : 0)) : null,
    outside: outside.includes(1) ? outside : null,
    plain: rows.entries.length === queries.length && columns.entries.length === keys.length,
    boundary
  };
}
