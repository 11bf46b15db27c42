import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { site, trace } from '../../../../state/__tests__/kernel';
import { UNFILTERED } from '../../../../state/view-state/head-filter';
import { filtered, groupsOf } from '../../../../state/heads/layer-groups';
import { headsOf, rankHeads } from '../../../../state/heads/ranking';
import type { ModelGrid } from '../grid';
import { LayerGrid } from '../layer-grid';
import { sortedLayout } from '../layout';
import { SortedGrid } from '../sorted-grid';

const { sites } = trace('t', {
  sites: [
    site(0, 3, { layer: 0, heads: 8, groups: 2 }),
    site(1, 3, { layer: 3, heads: 8, groups: 2 }),
    site(2, 3, { layer: 0, heads: 4, kind: 'cross', stack: 'cross.#' })
  ]
});
const groups = groupsOf(trace('t', { sites }));
const heads = rankHeads(headsOf({ sites }), [3, 1, 2], false);

const layers = (side: number) => new LayerGrid(groups, { side, bars: null }, true);
const sorted = (zoom: number) => {
  const lines = sortedLayout(300, zoom);
  return new SortedGrid(heads, lines, { side: lines.side, bars: null });
};

const place = fc.double({ min: 0, max: 600, noNaN: true });

describe.each<[string, (size: number) => ModelGrid, number, number]>([
  ['layers', layers, 30, 75],
  ['heads in order of a score', sorted, 1, 2.5]
])('a point in %s', (_, make, small, large) => {
  test('is where its spot is', () => {
    fc.assert(
      fc.property(place, place, (x, y) => {
        const grid = make(small);
        const spot = grid.anchorAt({ x, y });
        const point = grid.pointOf(spot);
        expect(point.x).toBeCloseTo(x);
        expect(point.y).toBeCloseTo(y);
      })
    );
  });

  test('is at the same part of the same thumbnail at any zoom', () => {
    const [before, after] = [make(small), make(large)];
    before.heads.forEach((head, i) => {
      const y = before.topOf(head) + 0.25 * before.side;
      const x = before instanceof SortedGrid ? (i % before.columns) * before.layout.pitch : 0;
      const { y: found } = after.pointOf(before.anchorAt({ x, y }));
      expect(found).toBeCloseTo(after.topOf(head) + 0.25 * after.side);
    });
  });
});

test('a point between thumbnails is as far past its thumbnail at any zoom', () => {
  const [before, after] = [layers(30), layers(75)];
  const spot = before.anchorAt({ x: 20 + 34 + 31, y: 0 });
  expect(after.pointOf(spot).x).toBe(20 + 79 + 76);
});

describe('a filter', () => {
  test('leaves layers without attention, which have none of its heads', () => {
    const rows = filtered(groups, { ...UNFILTERED, layers: '0-2', heads: '1, 7' }).map(group =>
      group.rows.map(({ layer, heads }) => [layer, ...heads])
    );
    expect(rows).toEqual([[[0, 1, 7], [1], [2]], [[0, 1]]]);
  });

  test('leaves no stack without any head', () => {
    const stacks = filtered(groups, { ...UNFILTERED, heads: '5' }).map(({ stack }) => stack);
    expect(stacks).toEqual([groups[0]?.stack]);
  });

  test('keeps the gap between heads that share no keys', () => {
    const grid = new LayerGrid(
      filtered(groups, { ...UNFILTERED, heads: '2, 3, 6' }),
      { side: 30, bars: null },
      true
    );
    const lefts = [20, 20 + 34, 20 + 34 + 38];
    const y = grid.topOf({ site: 1, head: 3 });
    expect(lefts.map(x => grid.anchorAt({ x, y }).across)).toEqual(
      [1, 2, 3].map(track => ({ track, past: 0 }))
    );
  });

  test('is followed by the keys', () => {
    const grid = new LayerGrid(
      filtered(groups, { ...UNFILTERED, heads: '1, 6' }),
      { side: 30, bars: null },
      true
    );
    expect(grid.next({ site: 0, head: 1 }, 'ArrowRight', false)).toEqual({ site: 0, head: 6 });
    expect(grid.next({ site: 0, head: 6 }, 'ArrowDown', false)).toEqual({ site: 1, head: 6 });
    expect(grid.next({ site: 1, head: 6 }, 'ArrowDown', false)).toEqual({ site: 2, head: 1 });
  });
});
