import type { SiteSummary, Token, TraceSummary } from '../protocol/messages';

/** The tokens on the two sides of a site. */
export interface Sides {
  queries: Token[];
  keys: Token[];
  /** Whether both sides are the same tokens, so that query 3 and key 3 are one token. */
  same: boolean;
}

/** The tokens that a site's rows and columns stand for. */
export function sidesOf(trace: TraceSummary, site: SiteSummary): Sides {
  const queries = listed(trace, site.rows, site.queries);
  const keys = listed(trace, site.columns, site.keys);
  return { queries, keys, same: site.kind !== 'cross' && identical(queries, keys) };
}

function listed(trace: TraceSummary, list: SiteSummary['rows'], length: number): Token[] {
  return list === 'positions' ? Array.from({ length }, (_, i) => position(i)) : trace[list];
}

function position(index: number): Token {
  return {
    id: -1,
    text: String(index),
    piece: '',
    special: true,
    start: -1,
    end: -1,
    part: false
  };
}

function identical(a: Token[], b: Token[]): boolean {
  return a === b || (a.length === b.length && a.every((token, i) => token.id === b[i]?.id));
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
