import type { SequenceSummary, SiteSummary, Token, TraceSummary } from '../../protocol/messages';

/** A trace and the token sequences of one batch item. */
export interface Shown {
  trace: TraceSummary;
  item: number;
  sequences: readonly SequenceSummary[];
}

/** The query and key tokens of a site. */
export interface Sides {
  queries: Token[];
  keys: Token[];
  /** Whether queries and keys are the same tokens, so that query 3 and key 3 are one token. */
  same: boolean;
  /** Index of the first token that the model generated, per side; null for none. */
  written: { query: number | null; key: number | null };
}

export const NO_SIDES: Sides = {
  queries: [],
  keys: [],
  same: true,
  written: { query: null, key: null }
};

/** Returns the tokens of a site's rows and columns. */
export function sidesOf({ trace, sequences }: Shown, { rows, columns }: SiteSummary): Sides {
  const written = (sequence: number) => (sequence === 0 ? (trace.generated ?? null) : null);
  return {
    queries: sequences[rows]?.tokens ?? NO_SIDES.queries,
    keys: sequences[columns]?.tokens ?? NO_SIDES.keys,
    same: rows === columns,
    written: { query: written(rows), key: written(columns) }
  };
}

/** Number of neighbors on each side that are compared to distinguish equal tokens. */
const NEIGHBORS = 8;

/**
 * Returns the index in `after` of the token `index` of `before`.
 *
 * The common prefix and suffix of both lists are matched, so that a token stays selected when
 * text is edited elsewhere. Between them, the result is the equal token with the most equal
 * neighbors, and of those the nearest. If there is none, the index is kept, clamped to the
 * tokens between prefix and suffix.
 */
export function moved(index: number, before: readonly Token[], after: readonly Token[]): number {
  const head = alike(before, after, 0, 0, 1, Infinity);
  if (index < head) {
    return index;
  }
  // Prefix and suffix may overlap if one of several repetitions was deleted.
  const tail = alike(before, after, before.length - 1, after.length - 1, -1, Infinity);
  if (index >= before.length - tail) {
    return index + after.length - before.length;
  }
  let [found, most] = [-1, -1];
  for (let i = head; i < after.length - tail; i++) {
    if (after[i]?.id === before[index]?.id) {
      const near =
        alike(before, after, index - 1, i - 1, -1, NEIGHBORS) +
        alike(before, after, index + 1, i + 1, 1, NEIGHBORS);
      if (near > most || (near === most && Math.abs(i - index) < Math.abs(found - index))) {
        [found, most] = [i, near];
      }
    }
  }
  const last = Math.max(head, after.length - tail - 1);
  return found >= 0 ? found : Math.max(0, Math.min(index, last, after.length - 1));
}

/** Counts equal tokens from a position in each list, in one direction, at most `most`. */
function alike(
  before: readonly Token[],
  after: readonly Token[],
  from: number,
  to: number,
  step: 1 | -1,
  most: number
): number {
  let count = 0;
  while (count < most) {
    const [one, other] = [before[from + step * count], after[to + step * count]];
    if (!one || one.id !== other?.id) {
      break;
    }
    count++;
  }
  return count;
}
