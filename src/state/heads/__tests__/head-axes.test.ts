import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Token } from '../../../protocol/messages';
import { groupWeights } from '../grouped-weights';
import { longWeights, withRow } from '../long-weights';
import { visibleWeights } from '../visible-weights';
import { headAxes, type AxisOptions } from '../head-axes';
import { exactWeights } from '../weights';

/** Tokens as a BERT tokenizer marks them: `##` goes on, brackets are special. */
function tokens(...pieces: string[]): Token[] {
  let at = 0;
  return pieces.map(piece => {
    const special = piece.startsWith('[');
    const joined = piece.startsWith('##');
    const text = joined ? piece.slice(2) : piece;
    const start = special ? -1 : joined ? at : at + 1;
    at = special ? at : start + text.length;
    const id = Array.from(piece).reduce((sum, c) => sum * 31 + c.charCodeAt(0), 7);
    const end = special ? -1 : at;
    return { id, text, piece, special, start, end, part: false, padding: false };
  });
}

const TEXT = tokens('[CLS]', 'un', '##lik', '##ely', 'dog', '[SEP]', 'no', '[SEP]');
const N = TEXT.length;
const SIDES = { queries: TEXT, keys: TEXT, same: true, written: { query: null, key: null } };
const ALL: AxisOptions = { pairs: 'all', hideSpecial: false, words: false };
const read = (choice: Partial<AxisOptions>) => headAxes(SIDES, { ...ALL, ...choice });

/** Softmaxed rows, each unlike the others. */
const DATA = new Float32Array(N * N);
for (let q = 0; q < N; q++) {
  const row = Array.from({ length: N }, (_, k) => Math.exp(((q * 5 + k * 7) % 11) / 3));
  const sum = row.reduce((a, b) => a + b);
  DATA.set(
    row.map(weight => weight / sum),
    q * N
  );
}
const at = (q: number, k: number): number => DATA[q * N + k]!;
const WEIGHTS = exactWeights({ shape: [N, N], data: DATA });
const rowOf = (weights: { keys: number; at: (q: number, k: number) => number }, q: number) =>
  Array.from({ length: weights.keys }, (_, k) => weights.at(q, k));
const sum = (row: number[]) => row.reduce((a, b) => a + b, 0);

describe('a query breakdown', () => {
  test('of nothing changed is the weights themselves', () => {
    expect(groupWeights(WEIGHTS, read({}))).toBe(WEIGHTS);
  });

  test('by words sums the pieces as keys and averages them as queries', () => {
    const reading = read({ words: true });
    expect(reading.keys.entries.map(({ token }) => token.text)).toEqual([
      '[CLS]',
      'unlikely',
      'dog',
      '[SEP]',
      'no',
      '[SEP]'
    ]);
    const words = groupWeights(WEIGHTS, reading);
    expect(words.at(2, 1)).toBeCloseTo(at(4, 1) + at(4, 2) + at(4, 3));
    expect(words.at(1, 2)).toBeCloseTo((at(1, 4) + at(2, 4) + at(3, 4)) / 3);
    for (let q = 0; q < words.queries; q++) {
      expect(sum(rowOf(words, q))).toBeCloseTo(1, 5);
    }
  });

  test('without special tokens is renormalised over the other keys', () => {
    const reading = read({ hideSpecial: true });
    const rest = groupWeights(WEIGHTS, reading);
    expect(reading.keys.entries).toHaveLength(5);
    for (let q = 0; q < rest.queries; q++) {
      expect(sum(rowOf(rest, q))).toBeCloseTo(1, 5);
    }
    const kept = [1, 2, 3, 4, 6];
    expect(rest.at(0, 3)).toBeCloseTo(at(1, 4) / sum(kept.map(k => at(1, k))));
  });

  test('by sentence is a slice and not renormalized', () => {
    const reading = read({ pairs: 'ab' });
    const slice = groupWeights(WEIGHTS, reading);
    expect([slice.queries, slice.keys]).toEqual([6, 2]);
    expect(rowOf(slice, 4)).toEqual([at(4, 6), at(4, 7)]);
    expect(slice.sum(4, null).value).toBeCloseTo(at(4, 6) + at(4, 7));
  });

  test('leads from each token that is shown to its row, and from a hidden one to none', () => {
    const { queries } = read({ hideSpecial: true, words: true, pairs: 'aa' });
    expect([...queries.entryOf]).toEqual([-1, 0, 0, 0, 1, -1, -1, -1]);
  });

  test('visits exactly the weights that it returns', () => {
    const choices = fc.record({
      pairs: fc.constantFrom<AxisOptions['pairs'][]>('all', 'aa', 'ab', 'ba', 'bb'),
      hideSpecial: fc.boolean(),
      words: fc.boolean()
    });
    fc.assert(
      fc.property(choices, choice => {
        const weights = groupWeights(WEIGHTS, headAxes(SIDES, choice));
        for (let q = 0; q < weights.queries; q++) {
          const seen = new Array<number>(weights.keys).fill(0);
          weights.each(q, 0, weights.keys, (key, weight) => (seen[key] = weight));
          rowOf(weights, q).forEach((weight, key) => expect(seen[key]).toBeCloseTo(weight, 6));
          expect(weights.sum(q, null).value).toBeCloseTo(sum(seen), 5);
        }
      })
    );
  });

  test('of a text whose script has no spaces joins the tokens of each word', () => {
    const tokensOfText = tokens('我', '##们', '##走');
    const sides = { ...SIDES, queries: tokensOfText, keys: tokensOfText };
    const { isIdentity: plain, keys } = headAxes(sides, { ...ALL, words: true });
    expect(plain).toBe(false);
    expect(keys.entries.map(({ token }) => token.text)).toEqual(['我们', '走']);
  });
});

describe('the mass', () => {
  test('each query’s heaviest weights are drawn up to the share, and the remainder is one number', () => {
    const half = visibleWeights(WEIGHTS, 0.5);
    for (let q = 0; q < N; q++) {
      const row = rowOf(WEIGHTS, q);
      const shown = row.filter((_, k) => half.isVisible(q, k));
      const hidden = row.filter((_, k) => !half.isVisible(q, k));
      expect(sum(shown)).toBeGreaterThanOrEqual(0.5);
      expect(sum(shown) - Math.min(...shown)).toBeLessThan(0.5);
      expect(Math.max(...hidden)).toBeLessThan(Math.min(...shown));
      expect(half.remainder(q)?.keys).toBe(hidden.length);
      expect(half.remainder(q)?.value).toBeCloseTo(sum(hidden), 5);
    }
  });

  test('that is all, all is drawn and nothing is left', () => {
    const all = visibleWeights(WEIGHTS, 1);
    expect(rowOf(WEIGHTS, 0).every((_, k) => all.isVisible(0, k))).toBe(true);
    expect(all.remainder(0)).toBeNull();
  });
});

describe('a long head', () => {
  const K = 2;
  const edges = new Float32Array(N * (2 * K + 1));
  const top = Array.from({ length: N }, (_, q) =>
    rowOf(WEIGHTS, q)
      .map((weight, key) => ({ weight, key }))
      .sort((a, b) => b.weight - a.weight)
  );
  top.forEach((row, q) => {
    const heavy = row.slice(0, K);
    const rest = sum(row.slice(K).map(({ weight }) => weight));
    edges.set(
      [...heavy.map(({ weight }) => weight), ...heavy.map(({ key }) => key), rest],
      q * (2 * K + 1)
    );
  });
  const long = longWeights({ shape: [N, 2 * K + 1], data: edges }, null, N);

  test('has the exact weights of its heaviest keys; the others are unknown', () => {
    const [heavy, , light] = top[3]!;
    expect(long.known(3, heavy!.key)).toBe('exact');
    expect(long.at(3, heavy!.key)).toBe(at(3, heavy!.key));
    expect(long.known(3, light!.key)).toBe('unknown');
    expect(visibleWeights(long, 1).remainder(3)?.keys).toBe(N - K);
    expect(visibleWeights(long, 1).remainder(3)?.value).toBeCloseTo(
      sum(top[3]!.slice(K).map(e => e.weight))
    );
  });

  test('whose row has come is exact in that row alone', () => {
    const rows = new Float32Array(2 * N);
    rows.set(DATA.subarray(3 * N, 4 * N), N);
    const both = withRow(long, 3, { shape: [2, N], data: rows }, 1);
    expect(rowOf(both, 3)).toEqual(rowOf(WEIGHTS, 3));
    expect(both.known(3, top[3]!.at(-1)!.key)).toBe('exact');
    expect(both.known(4, top[4]!.at(-1)!.key)).toBe('unknown');
  });

  test('shows no percentage if the total is unknown', () => {
    const hidden = groupWeights(long, read({ hideSpecial: true }));
    const { queries, keys } = read({ hideSpecial: true });
    for (let q = 0; q < hidden.queries; q++) {
      for (let k = 0; k < hidden.keys; k++) {
        const [query, key] = [queries.entries[q]!.start, keys.entries[k]!.start];
        if (long.known(query, key) === 'unknown') {
          expect(hidden.known(q, k)).toBe('unknown');
        }
      }
    }
  });

  test('is NaN where a query has no keys', () => {
    const none = Float32Array.of(NaN, NaN, -1, -1, NaN);
    const weights = longWeights({ shape: [1, 5], data: none }, null, 4);
    expect(weights.at(0, 2)).toBeNaN();
    expect(weights.known(0, 2)).toBe('exact');
    weights.each(0, 0, 4, () => expect.unreachable());
  });
});
