import type { Selected, Token } from '../protocol/messages';

/** Which pairs of tokens are shown of a text of two sentences. */
export type Pairs = Selected['pairs'];

/**
 * Where the second of two sentences begins; null where a text is not two sentences.
 *
 * A text of two ends with a special token that stands once more, between them: BERT's
 * `[CLS] a [SEP] b [SEP]`, RoBERTa's `<s> a </s></s> b </s>`, T5's `a </s> b </s>`, XLNet's
 * `a <sep> b <sep> <cls>`. The separator after a sentence belongs to it.
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
    // RoBERTa's second of two is the second sentence's own.
    if (tokens[i]?.id === separator.id && tokens[i - 1]?.id !== separator.id) {
      between.push(i + 1);
    }
  }
  const [boundary] = between;
  return between.length === 1 && boundary !== undefined ? boundary : null;
}

/** A stretch of a head's rows and one of its columns, in shares from 0 to 1. */
export interface Region {
  rows: readonly [number, number];
  columns: readonly [number, number];
}

/** The region of a head that these pairs are; `split` is the first sentence's share of the text. */
export function regionOf(pairs: Exclude<Pairs, 'all'>, split: number): Region {
  const stretch = (letter: string | undefined): readonly [number, number] =>
    letter === 'a' ? [0, split] : [split, 1];
  return { rows: stretch(pairs[0]), columns: stretch(pairs[1]) };
}

/** Whether a token is on a side of these pairs; the first letter is the queries' sentence. */
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
