import { expect, test } from 'vitest';
import { formatScore } from '../format-number';

test.each([
  [0, '0'],
  [-0.06, '−0.06'],
  [1.234, '1.23'],
  [-12.34, '−12.3'],
  [-1234.5, '−1235'],
  [0.00012, '1e−4'],
  [-0.00012, '−1e−4'],
  [123456, '1e5'],
  [-Infinity, '−∞'],
  [NaN, 'NaN']
])('%d is printed as %s', (score, text) => {
  expect(formatScore(score)).toBe(text);
});
