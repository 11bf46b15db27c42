import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { site } from '../../__tests__/kernel';
import { UNFILTERED } from '../../view-state/head-filter';
import { barLength, headsOf, rankHeads, scoreOf } from '../ranking';

const heads = headsOf({ sites: [site(0, 3, { heads: 2 }), site(1, 3, { heads: 2, layer: 4 })] });

test('heads are counted through all sites, and know their layers', () => {
  expect(heads.map(({ site, head, layer, index }) => [site, head, layer, index])).toEqual([
    [0, 0, 0, 0],
    [0, 1, 0, 1],
    [1, 0, 4, 2],
    [1, 1, 4, 3]
  ]);
});

test('a score is a column of the kernel’s numbers, by its name', () => {
  const labels = ['entropy', 'induction'];
  const payload = { shape: [2, 2], data: new Float32Array([1, 2, 3, 4]), labels };
  expect(scoreOf(payload, 'induction')).toEqual(new Float32Array([2, 4]));
  expect(scoreOf(payload, 'charm')).toBeNull();
});

describe('heads by a score', () => {
  const order = (ascending: boolean, ...more: Parameters<typeof rankHeads>[3][]) =>
    rankHeads(heads, [0.5, NaN, 0.9, 0.5], ascending, ...more).map(({ index }) => index);

  test('are sorted largest first, without a score last, equal ones in the model’s order', () => {
    expect(order(false)).toEqual([2, 0, 3, 1]);
  });

  test('are sorted smallest first on request, without a score still last', () => {
    expect(order(true)).toEqual([0, 3, 2, 1]);
  });

  test('are hidden by layer, by number and by score', () => {
    expect(order(false, { ...UNFILTERED, layers: '4' })).toEqual([2, 3]);
    expect(order(false, { ...UNFILTERED, heads: '1' })).toEqual([3, 1]);
    expect(order(false, { ...UNFILTERED, least: 0.6 })).toEqual([2]);
    expect(order(false, { ...UNFILTERED, most: 0.6 })).toEqual([0, 3]);
    expect(order(false, { ...UNFILTERED, least: 0.95, most: 0.6 })).toEqual([]);
  });

  test('are all there, whatever the scores', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float(), { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        (scores, up) => {
          const found = rankHeads(heads, scores, up).map(({ index }) => index);
          expect([...found].sort()).toEqual([0, 1, 2, 3]);
        }
      )
    );
  });
});

test('bars start at zero and the largest score’s is the longest', () => {
  const scores = [0.2, NaN, 0.8];
  expect(scores.map(score => barLength(score, scores))).toEqual([0.25, 0, 1]);
  expect(barLength(-1, [-1, -2])).toBe(0);
});
