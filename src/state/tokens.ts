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

/**
 * Where the token `index` of `before` stands in `after`.
 *
 * Text edited elsewhere leaves a token selected: the lists' common beginning and common end
 * are matched; a token between them keeps its index, as far as there is one.
 */
export function moved(index: number, before: readonly Token[], after: readonly Token[]): number {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head]?.id === after[head]?.id) {
    head++;
  }
  if (index < head) {
    return index;
  }
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail)?.id === after.at(-1 - tail)?.id) {
    tail++;
  }
  if (index >= before.length - tail) {
    return index + after.length - before.length;
  }
  return Math.max(0, Math.min(index, after.length - 1));
}
