import { describe, expect, test } from 'vitest';
import type { SiteSummary } from '../../../../protocol/messages';
import { site, trace } from '../../../../state/__tests__/kernel';
import { groupsOf } from '../../../../state/heads/layer-groups';
import { neighbor } from '../keyboard';

function model(...sites: Partial<SiteSummary>[]) {
  return groupsOf(trace('t', { sites: sites.map((more, i) => site(i, 3, more)) }));
}

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
    expect(neighbor(groups, from, key, false)).toEqual(to);
  });

  test('Ctrl+Home and Ctrl+End lead to the first and the last', () => {
    expect(neighbor(groups, { site: 1, head: 1 }, 'Home', true)).toEqual({ site: 0, head: 0 });
    expect(neighbor(groups, { site: 1, head: 1 }, 'End', true)).toEqual({ site: 2, head: 3 });
  });

  test('a letter key does nothing', () => {
    expect(neighbor(groups, { site: 0, head: 0 }, 'x', false)).toBeNull();
  });
});
