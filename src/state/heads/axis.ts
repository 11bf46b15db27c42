import type { Token } from '../../protocol/messages';
import { continuesWord, joinTokens } from '../text/words';

/** A displayed row or column: a token, or the tokens of a word. */
export interface Entry {
  token: Token;
  /** Range of its tokens; `end` is exclusive. */
  start: number;
  end: number;
}

/** The displayed rows or columns of a head. */
export interface Axis {
  readonly entries: readonly Entry[];
  /** Token index → entry index; -1 for a hidden token. */
  readonly entryOf: Int32Array;
}

/** Returns the axis of the tokens that `keeps` selects, merged by word if `words` is set. */
export function axisOf(
  tokens: readonly Token[],
  keeps: (index: number) => boolean,
  words: boolean
): Axis {
  const entries: Entry[] = [];
  const of = new Int32Array(tokens.length).fill(-1);
  const continues = words ? continuesWord(tokens) : [];
  tokens.forEach((token, index) => {
    if (!keeps(index)) {
      return;
    }
    const last = entries.at(-1);
    if (last?.end === index && continues[index]) {
      last.end = index + 1;
    } else {
      entries.push({ token, start: index, end: index + 1 });
    }
    of[index] = entries.length - 1;
  });
  for (const entry of entries) {
    if (entry.end > entry.start + 1) {
      entry.token = joinTokens(tokens.slice(entry.start, entry.end));
    }
  }
  return { entries, entryOf: of };
}
