import { describe, expect, test } from 'vitest';
import type { SiteSummary } from '../../protocol/messages';
import { site, trace } from '../../state/__tests__/kernel';
import { groupsOf, neighbour } from '../rows';

function model(...sites: Partial<SiteSummary>[]) {
  return groupsOf(trace('t', { sites: sites.map((more, i) => site(i, 3, more)) }));
}

describe('the model view', () => {
  test('parts encoder, decoder and cross-attention', () => {
    const groups = model(
      { kind: 'encoder' },
      { kind: 'decoder', layer: 0 },
      { kind: 'cross', layer: 0 }
    );
    expect(groups.map(({ kind }) => kind)).toEqual(['encoder', 'decoder', 'cross']);
  });

  test('leaves a gap for a layer without attention, with its true number', () => {
    const [group] = model({ layer: 1 }, { layer: 3 });
    expect(group?.rows.map(row => [row.layer, row.site?.index])).toEqual([
      [0, undefined],
      [1, 0],
      [2, undefined],
      [3, 1]
    ]);
  });

  test('finds a site’s thumbnails after those of all earlier calls', () => {
    const [encoder, cross] = model(
      { heads: 2 },
      { kind: 'cross', layer: 0, heads: 3 },
      { heads: 4 }
    );
    expect(encoder?.rows.filter(row => row.site).map(row => row.first)).toEqual([0, 5]);
    expect(cross?.rows.map(row => row.first)).toEqual([2]);
    expect(encoder?.columns).toBe(4);
  });
});

describe('from head to head', () => {
  const groups = model({ heads: 4 }, { heads: 2 }, { heads: 4, kind: 'cross', layer: 0 });
  test.each([
    ['ArrowRight', { site: 0, head: 0 }, { site: 0, head: 1 }],
    ['ArrowRight', { site: 1, head: 1 }, { site: 1, head: 1 }],
    ['ArrowLeft', { site: 0, head: 0 }, { site: 0, head: 0 }],
    ['ArrowDown', { site: 0, head: 3 }, { site: 1, head: 1 }],
    ['ArrowDown', { site: 1, head: 1 }, { site: 2, head: 1 }],
    ['ArrowUp', { site: 0, head: 3 }, { site: 0, head: 3 }],
    ['End', { site: 0, head: 0 }, { site: 0, head: 3 }],
    ['PageDown', { site: 0, head: 0 }, { site: 2, head: 0 }]
  ])('%s leads from %o to %o', (key, from, to) => {
    expect(neighbour(groups, from, key, false)).toEqual(to);
  });

  test('Ctrl+Home and Ctrl+End lead to the first and the last', () => {
    expect(neighbour(groups, { site: 1, head: 1 }, 'Home', true)).toEqual({ site: 0, head: 0 });
    expect(neighbour(groups, { site: 1, head: 1 }, 'End', true)).toEqual({ site: 2, head: 3 });
  });

  test('a letter leads nowhere', () => {
    expect(neighbour(groups, { site: 0, head: 0 }, 'x', false)).toBeNull();
  });
});
