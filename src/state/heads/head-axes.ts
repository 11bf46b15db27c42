import { inPairs, secondSentence, type Pairs } from '../text/sentences';
import type { Sides } from '../text/tokens';
import { axisOf, type Axis } from './axis';
import type { Mask } from './weights';

/** Display options that determine a head's axes. */
export interface AxisOptions {
  pairs: Pairs;
  hideSpecial: boolean;
  words: boolean;
}

/** The displayed rows and columns of a head. */
export interface HeadAxes {
  queries: Axis;
  keys: Axis;
  /** Hidden special keys; each row is renormalized over the other keys. */
  hidden: Mask;
  /** Keys without a column: hidden keys, and keys of the other sentence. */
  excluded: Mask;
  /** Whether each token is one row and one column. */
  isIdentity: boolean;
  /** Index of the second sentence's first token; null for none. */
  boundary: number | null;
}

/** Returns the displayed axes of a site. */
export function headAxes({ queries, keys, same }: Sides, choice: AxisOptions): HeadAxes {
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
  const outside = Uint8Array.from(columns.entryOf, entry => (entry < 0 ? 1 : 0));
  return {
    queries: rows,
    keys: columns,
    hidden: hides ? Uint8Array.from(keys, ({ special }) => (special ? 1 : 0)) : null,
    excluded: outside.includes(1) ? outside : null,
    isIdentity: rows.entries.length === queries.length && columns.entries.length === keys.length,
    boundary
  };
}
