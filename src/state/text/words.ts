import type { Span, Token } from '../../protocol/messages';

/**
 * The one definition of a word: Unicode's word boundaries (UAX #29), and a dictionary where a
 * script has no spaces. A fixed locale gives every browser the same words.
 */
const SEGMENTER = new Intl.Segmenter('en', { granularity: 'word' });

/**
 * Finds the word or punctuation mark at an offset: the one around it, else the one that ends
 * there. Offsets count UTF-16 code units; null between spaces.
 */
export function wordAt(text: string, offset: number): Span | null {
  const segments = SEGMENTER.segment(text);
  const visible = [segments.containing(offset), segments.containing(offset - 1)].find(
    found => found && /\S/.test(found.segment)
  );
  return visible ? { start: visible.index, end: visible.index + visible.segment.length } : null;
}

/** Whether a token follows the one before it without a space between them. */
export function isAdjacent(token: Token, before: Token | undefined): boolean {
  return (
    before !== undefined &&
    token.start >= 0 &&
    token.start <= before.end &&
    !token.special &&
    !before.special &&
    !/^\s/.test(token.text)
  );
}

/** For each token: whether the token before it is of the same word. */
export function continuesWord(tokens: readonly Token[]): boolean[] {
  let text = '';
  const found = tokens.map((token, i) => {
    const before = tokens[i - 1];
    const adjacent = isAdjacent(token, before);
    const shares = adjacent && sharesCharacter(token, before);
    if (!adjacent) {
      text += '\n';
    }
    const offset = text.length;
    if (!shares) {
      text += token.text;
    }
    return { adjacent, shares, offset };
  });
  const starts = new Set(Array.from(SEGMENTER.segment(text), ({ index }) => index));
  return found.map(({ adjacent, shares, offset }) => shares || (adjacent && !starts.has(offset)));
}

/** The tokens of a word as one token; a character that they share is written once. */
export function joinTokens(tokens: readonly Token[]): Token {
  const [first, ...others] = tokens;
  if (!first) {
    throw new Error('A word needs at least one token.');
  }
  return others.reduce(
    (word, token) => ({
      ...word,
      text: sharesCharacter(token, word) ? word.text : word.text + token.text,
      piece: `${word.piece} ${token.piece}`,
      end: Math.max(word.end, token.end),
      part: false
    }),
    first
  );
}

function sharesCharacter(token: Token, before: Token | undefined): boolean {
  return before !== undefined && token.start < before.end;
}
