import type { SequenceSummary, SiteSummary, Token, TraceSummary } from '../protocol/messages';

/** A trace, and what stands along its axes for one item of the batch. */
export interface Shown {
  trace: TraceSummary;
  item: number;
  sequences: readonly SequenceSummary[];
}

/** The tokens on the two sides of a site. */
export interface Sides {
  queries: Token[];
  keys: Token[];
  /** Whether both sides are the same tokens, so that query 3 and key 3 are one token. */
  same: boolean;
  /** Where on each side the text begins that the model itself has written; null for nowhere. */
  written: { query: number | null; key: number | null };
}

export const NO_SIDES: Sides = {
  queries: [],
  keys: [],
  same: true,
  written: { query: null, key: null }
};

/** The tokens that a site's rows and columns stand for. */
export function sidesOf({ trace, sequences }: Shown, { rows, columns }: SiteSummary): Sides {
  const written = (sequence: number) => (sequence === 0 ? (trace.generated ?? null) : null);
  return {
    queries: sequences[rows]?.tokens ?? NO_SIDES.queries,
    keys: sequences[columns]?.tokens ?? NO_SIDES.keys,
    same: rows === columns,
    written: { query: written(rows), key: written(columns) }
  };
}

/** How many words on each side tell one of several like words from the others. */
const NEIGHBOURS = 8;

/**
 * Where the token `index` of `before` stands in `after`.
 *
 * Text edited elsewhere leaves a token selected: the lists' common beginning and common end are
 * matched. A token between them is the like one there with the most like neighbours, and of
 * those the nearest; one that is gone leaves its index, as far as there is one between them.
 */
export function moved(index: number, before: readonly Token[], after: readonly Token[]): number {
  const head = alike(before, after, 0, 0, 1, Infinity);
  if (index < head) {
    return index;
  }
  // The two may overlap, where one of several repetitions was deleted.
  const tail = alike(before, after, before.length - 1, after.length - 1, -1, Infinity);
  if (index >= before.length - tail) {
    return index + after.length - before.length;
  }
  let [found, most] = [-1, -1];
  for (let i = head; i < after.length - tail; i++) {
    if (after[i]?.id === before[index]?.id) {
      const near =
        alike(before, after, index - 1, i - 1, -1, NEIGHBOURS) +
        alike(before, after, index + 1, i + 1, 1, NEIGHBOURS);
      if (near > most || (near === most && Math.abs(i - index) < Math.abs(found - index))) {
        [found, most] = [i, near];
      }
    }
  }
  const last = Math.max(head, after.length - tail - 1);
  return found >= 0 ? found : Math.max(0, Math.min(index, last, after.length - 1));
}

/** How many tokens are the same in both lists, counted from a place in each, at most so many. */
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
