import { expect, test } from 'vitest';
import { parseNumbers, filterPredicate, UNFILTERED } from '../head-filter';

test('an invalid filter hides no head', () => {
  const shows = filterPredicate({ ...UNFILTERED, layers: '3-', heads: '1' });
  expect([shows(0, 1), shows(7, 1), shows(7, 2)]).toEqual([true, true, false]);
});

test.each([
  ['', null],
  ['3', [3]],
  ['0-2, 9', [0, 1, 2, 9]],
  ['1–2 4', [1, 2, 4]],
  ['all', undefined],
  ['2-', undefined]
])('the numbers %j are read as %j', (text, numbers) => {
  const found = parseNumbers(text);
  expect(found ? [...found] : found).toEqual(numbers);
});
