import type { SelectionState, Token } from '../../protocol/messages';

/** Which pairs of sentences are shown: the first letter is the queries' sentence, the second the keys'. */
export type Pairs = SelectionState['pairs'];

/**
 * Returns the index of the first token of the second sentence; null unless a text has two.
 *
 * A text of two sentences ends with a special token that also separates them: BERT's
 * `[CLS] a [SEP] b [SEP]`, RoBERTa's `<s> a </s></s> b </s>`, T5's `a </s> b </s>`, XLNet's
 * `a <sep> b <sep> <cls>`. A separator belongs to the sentence
 * before it.
 */
export function secondSentence(tokens: readonly Token[]): number | null {
  const first = tokens.findIndex(({ padding }) => !padding);
  let end = tokens.length;
  while (end > first && tokens[end - 1]?.padding) {
    end--;
  }
  let close = end;
  while (close > first && tokens[close - 1]?.special) {
    close--;
  }
  const separator = tokens[close];
  if (first < 0 || close === end || !separator) {
    return null;
  }
  const text = tokens.findIndex(({ special, padding }) => !special && !padding);
  const between: number[] = [];
  for (let i = Math.max(text, first); text >= 0 && i < close; i++) {
    // The second of RoBERTa's two separators belongs to the second sentence.
    if (tokens[i]?.id === separator.id && tokens[i - 1]?.id !== separator.id) {
      between.push(i + 1);
    }
  }
  const [boundary] = between;
  return between.length === 1 && boundary !== undefined ? boundary : null;
}

/** A rectangle of a head's matrix, in fractions from 0 to 1. */
export interface Region {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

/**
 * Returns the region of a head that shows these pairs.
 *
 * @param split - Fraction of the tokens that the first sentence has.
 */
export function regionOf(pairs: Exclude<Pairs, 'all'>, split: number): Region {
  const stretch = (letter: string | undefined): readonly [number, number] =>
    letter === 'a' ? [0, split] : [split, 1];
  return { rows: stretch(pairs[0]), columns: stretch(pairs[1]) };
}

/** Whether a query or key token belongs to these pairs. */
export function inPairs(
  pairs: Pairs,
  side: 'query' | 'key',
  index: number,
  boundary: number | null
): boolean {
  if (pairs === 'all' || boundary === null) {
    return true;
  }
  const sentence = side === 'query' ? pairs[0] : pairs[1];
  return index < boundary === (sentence === 'a');
}
