import { describe, expect, test } from 'vitest';
import type { Token } from '../../../protocol/messages';
import { inPairs, regionOf, secondSentence } from '../sentences';

/** Tokens of a text in which special ones stand in brackets and pads are `[PAD]` or `<pad>`. */
function tokens(text: string): Token[] {
  const ids = new Map<string, number>();
  return text.split(' ').map(piece => {
    const special = /^(\[.*\]|<.*>)$/.test(piece);
    const id = ids.get(piece) ?? ids.size;
    ids.set(piece, id);
    const padding = /pad/i.test(piece);
    return { id, text: piece, piece, special, start: -1, end: -1, part: false, padding };
  });
}

describe('the second sentence begins', () => {
  test.each([
    ['BERT', '[CLS] a b [SEP] c [SEP]', 4],
    ['BERT with padding', '[CLS] a b [SEP] c [SEP] [PAD] [PAD]', 4],
    ['BERT with a masked word', '[CLS] a [MASK] [SEP] c [SEP]', 4],
    ['RoBERTa', '<s> a b </s> </s> c </s>', 4],
    ['RoBERTa with padding', '<s> a </s> </s> c d </s> <pad>', 3],
    ['T5', 'a b </s> c </s>', 3],
    ['XLNet, padded at its beginning', '<pad> <pad> a b <sep> c <sep> <cls>', 5]
  ])('as %s writes two', (_, text, index) => {
    expect(secondSentence(tokens(text))).toBe(index);
  });

  test.each([
    ['a single sentence of BERT', '[CLS] a b [SEP]'],
    ['a single sentence of RoBERTa', '<s> a b </s>'],
    ['three sentences', '[CLS] a [SEP] b [SEP] c [SEP]'],
    ['a text without special tokens', 'a b c'],
    ['a text that only begins with one', '<s> a b'],
    ['special tokens alone', '[CLS] [SEP]'],
    ['padding alone', '[PAD] [PAD]'],
    ['nothing', '']
  ])('nowhere in %s', (_, text) => {
    expect(secondSentence(tokens(text))).toBeNull();
  });
});

test('a filter takes the queries of its first sentence and the keys of its second', () => {
  const at = (pairs: 'all' | 'aa' | 'bb' | 'ab' | 'ba', side: 'query' | 'key') =>
    [0, 1, 2, 3].filter(index => inPairs(pairs, side, index, 2));
  expect([at('ab', 'query'), at('ab', 'key')]).toEqual([
    [0, 1],
    [2, 3]
  ]);
  expect([at('bb', 'query'), at('bb', 'key')]).toEqual([
    [2, 3],
    [2, 3]
  ]);
  expect(at('all', 'key')).toEqual([0, 1, 2, 3]);
  expect(inPairs('ab', 'query', 3, null)).toBe(true);
});

test('a filter leaves a region of a head: rows of its first sentence, columns of its second', () => {
  expect(regionOf('ab', 0.4)).toEqual({ rows: [0, 0.4], columns: [0.4, 1] });
  expect(regionOf('ba', 0.4)).toEqual({ rows: [0.4, 1], columns: [0, 0.4] });
  expect(regionOf('bb', 0.4)).toEqual({ rows: [0.4, 1], columns: [0.4, 1] });
});
