import { expect, test } from 'vitest';
import type { Token } from '../../../protocol/messages';
import { site, token, trace } from '../../__tests__/kernel';
import type { Sides } from '../../text/tokens';
import { longWeights } from '../long-weights';
import { isRowless } from '../rowless';
import { exactWeights, roughWeights } from '../weights';

/** Three tokens, of which the model generated those from `written` on. */
function sides(written: number | null, last: Partial<Token> = {}): Sides {
  const queries = [token(0), token(1), { ...token(2), ...last }];
  return { queries, keys: queries, same: true, written: { query: written, key: written } };
}

const data = Float32Array.from([1, 0, 0, 0.5, 0.5, 0, NaN, NaN, NaN]);
const exact = exactWeights({ shape: [3, 3], data });
const topk = Float32Array.from([1, 0, 0, 0.5, 0, 0.5, NaN, -1, NaN]);
const long = longWeights({ shape: [3, 3], data: topk }, null, 3);

test.each([
  ['a head', exact],
  ['a long head', long]
])('a generated token of %s has no row if all its weights are NaN', (_, weights) => {
  expect([0, 1, 2].map(query => isRowless(weights, sides(1), query))).toEqual([false, false, true]);
});

test('a token of the prompt has a row, even one that attends to nothing', () => {
  expect(isRowless(exact, sides(3), 2)).toBe(false);
  expect(isRowless(exact, sides(null), 2)).toBe(false);
});

test('padding after a finished text is not without a row: its row has no meaning', () => {
  expect(isRowless(exact, sides(1, { padding: true }), 2)).toBe(false);
});

test('a stale token has no row, whatever is known of the weights', () => {
  expect(isRowless(null, sides(2, { stale: true }), 2)).toBe(true);
});

test('whether a generated token has a row is unknown before its weights have arrived', () => {
  const thumbnails = { shape: [4, 3, 3], data: new Uint8Array(36) };
  const rough = roughWeights(thumbnails, trace('t'), site(0, 3), 0);
  expect(isRowless(null, sides(1), 2)).toBe(false);
  expect(isRowless(rough, sides(1), 2)).toBe(false);
});

test('a query that the head does not have is not without a row', () => {
  expect(isRowless(exact, sides(1), 9)).toBe(false);
});
