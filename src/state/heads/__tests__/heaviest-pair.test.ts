import { expect, test } from 'vitest';
import { token } from '../../__tests__/kernel';
import { NO_SIDES } from '../../text/tokens';
import { heaviestPair } from '../heaviest-pair';
import { exactWeights } from '../weights';

function sides(special: boolean[], padding: boolean[] = []) {
  const tokens = special.map((special, i) => ({
    ...token(i),
    special,
    padding: padding[i] ?? false
  }));
  return { ...NO_SIDES, queries: tokens, keys: tokens };
}

function weights(...rows: number[][]) {
  return exactWeights({
    shape: [rows.length, rows[0]?.length ?? 0],
    data: Float32Array.from(rows.flat())
  });
}

test('the heaviest weight is between ordinary tokens if there are any', () => {
  const weightsOfHead = weights([0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.8, 0.15, 0.05]);
  expect(heaviestPair(weightsOfHead, sides([true, false, false]))).toMatchObject({
    query: 2,
    key: 1
  });
});

test('if all are special, it is the heaviest of all', () => {
  expect(heaviestPair(weights([0.4, 0.6], [0.9, 0.1]), sides([true, true]))).toMatchObject({
    query: 1,
    key: 0
  });
});

test('rows of padding and NaN weights do not count', () => {
  const weightsOfHead = weights([NaN, NaN], [0.9, 0.1]);
  expect(heaviestPair(weightsOfHead, sides([false, false], [false, true]))).toBeNull();
});
