import type { Token } from '../protocol/messages';

/** Scripts that are written without spaces between words. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Mymr}]/u;

/** Whether `token` continues the word of the token before it. */
export function continues(token: Token, before: Token | undefined): boolean {
  return (
    before !== undefined &&
    token.start >= 0 &&
    token.start <= before.end &&
    !token.special &&
    !before.special &&
    !/^\s/.test(token.text)
  );
}

/**
 * Whether two neighbours are of one word: what stands between spaces. Where a script has
 * none, each token is a word, save those that share one character.
 */
export function sameWord(token: Token, before: Token | undefined): boolean {
  if (!before || !continues(token, before)) {
    return false;
  }
  const shares = token.start < before.end;
  return shares || !(UNSPACED.test(token.text) || UNSPACED.test(before.text));
}

/** Several tokens of one word as one; a character that they share stands once. */
export function wordOf(tokens: readonly Token[]): Token {
  const [first, ...others] = tokens;
  if (!first) {
    throw new Error('A word has tokens.');
  }
  return others.reduce(
    (word, token) => ({
      ...word,
      text: token.start < word.end ? word.text : word.text + token.text,
      piece: `${word.piece} ${token.piece}`,
      end: Math.max(word.end, token.end),
      part: false
    }),
    first
  );
}
