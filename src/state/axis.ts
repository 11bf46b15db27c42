import type { Token } from '../protocol/messages';
import { sameWord, wordOf } from './words';

/** One row or column as it is shown: a token, or the tokens of a word. */
export interface Entry {
  token: Token;
  /** Its tokens, `end` excluded. */
  start: number;
  end: number;
}

/** What stands along one side of a head as it is shown. */
export interface Axis {
  readonly entries: readonly Entry[];
  /** Token → its entry; -1 for one that is not shown. */
  readonly of: Int32Array;
}

/** The tokens that `keeps` keeps, alone or as words. */
export function axisOf(
  tokens: readonly Token[],
  keeps: (index: number) => boolean,
  words: boolean
): Axis {
  const entries: Entry[] = [];
  const of = new Int32Array(tokens.length).fill(-1);
  tokens.forEach((token, index) => {
    if (!keeps(index)) {
      return;
    }
    const last = entries.at(-1);
    if (words && last?.end === index && sameWord(token, tokens[index - 1])) {
      last.end = index + 1;
    } else {
      entries.push({ token, start: index, end: index + 1 });
    }
    of[index] = entries.length - 1;
  });
  for (const entry of entries) {
    if (entry.end > entry.start + 1) {
      entry.token = wordOf(tokens.slice(entry.start, entry.end));
    }
  }
  return { entries, of };
}
