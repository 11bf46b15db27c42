import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SelectionState } from '../../../protocol/messages';
import { shown, site, token } from '../../__tests__/kernel';
import { moved } from '../../text/tokens';
import { Selection } from '../selection';

describe('a selection', () => {
  test('keeps the selection while hovering', () => {
    const selection = new Selection();
    selection.toggle('query', 2);
    selection.hover.value = { query: 0 };
    expect([selection.shownQuery.value, selection.query.value]).toEqual([0, 2]);
    selection.hover.value = {};
    expect(selection.shownQuery.value).toBe(2);
  });

  test('clears a token that is selected again, and all tokens on request', () => {
    const selection = new Selection();
    selection.toggle('key', 1);
    selection.toggle('key', 1);
    expect(selection.key.value).toBeNull();
    selection.toggle('key', 1);
    selection.toggle('query', 1);
    selection.clear();
    expect(selection.toJSON()).toMatchObject({ query: null, key: null, dimension: null });
  });

  test('keeps the head by its kind and layer, wherever its site stands', () => {
    const selection = new Selection();
    selection.fit(shown('t1'));
    selection.setFocus({ site: 1, head: 3 });
    const decoder = site(0, 3, { kind: 'decoder' });
    const moved = [decoder, site(1, 3, { layer: 0 }), site(2, 3, { layer: 1 })];
    selection.fit(shown('t2', { sites: moved }));
    expect(selection.focus.value).toEqual({ site: 2, head: 3 });
  });

  test('comes back to its head after a trace that lacked it', () => {
    const selection = new Selection();
    selection.fit(shown('t1'));
    selection.setFocus({ site: 1, head: 3 });
    selection.fit(shown('t2', { sites: [site(0, 3)] }));
    expect(selection.focus.value.site).toBe(0);
    selection.fit(shown('t3'));
    expect(selection.focus.value).toEqual({ site: 1, head: 3 });
  });

  test('distinguishes two stacks with the same layer numbers', () => {
    const tower = (index: number, layer: number) => site(index, 3, { stack: 'vision.#', layer });
    const selection = new Selection();
    selection.fit(shown('t1', { sites: [tower(0, 0), tower(1, 1), site(2, 3, { layer: 0 })] }));
    selection.setFocus({ site: 2, head: 1 });
    selection.fit(shown('t2', { sites: [tower(0, 0), site(1, 3, { layer: 0 })] }));
    expect(selection.focus.value).toEqual({ site: 1, head: 1 });
  });

  test('keeps its layer in another model, whose modules have other names', () => {
    const selection = new Selection();
    selection.fit(shown('t1'));
    selection.setFocus({ site: 1, head: 3 });
    const sites = [0, 1, 2].map(i => site(i, 3, { stack: 'blocks.#', layer: 2 - i }));
    selection.fit(shown('t2', { sites }));
    expect(selection.focus.value).toEqual({ site: 1, head: 3 });
  });

  test('keeps the item if the batch has it, and returns to it when a batch has it again', () => {
    const selection = new Selection();
    selection.fit(shown('t1', { items: 4 }));
    selection.choose(2);
    selection.fit(shown('t2', { items: 3 }));
    expect(selection.item.value).toBe(2);
    selection.fit(shown('t3', { items: 1 }));
    expect(selection.item.value).toBe(0);
    selection.fit(shown('t4', { items: 4 }));
    expect(selection.item.value).toBe(2);
    selection.choose(9);
    expect(selection.item.value).toBe(3);
  });

  test('keeps a word selected while text before it is edited', () => {
    const selection = new Selection();
    selection.fit(shown('t1', { ids: [1, 2, 3, 4] }));
    selection.toggle('query', 3);
    selection.fit(shown('t2', { ids: [1, 7, 8, 2, 3, 4] }));
    expect(selection.query.value).toBe(5);
  });

  test('stays within a shorter text, and nothing is selected in an empty one', () => {
    const selection = new Selection();
    selection.fit(shown('t1', { ids: [1, 2, 3, 4] }));
    selection.toggle('query', 2);
    selection.hover.value = { key: 3 };
    selection.fit(shown('t2', { ids: [9] }));
    expect(selection.query.value).toBe(0);
    expect(selection.hover.value).toEqual({});
    selection.fit(shown('t3', { ids: [] }));
    expect(selection.query.value).toBeNull();
  });

  test('draws several heads together, always the focused one among them', () => {
    const selection = new Selection();
    selection.fit(shown('t1'));
    selection.toggleHead(2);
    expect(selection.toJSON()).toMatchObject({ head: 2, heads: [0, 2] });
    selection.toggleHead(2);
    selection.toggleHead(0);
    expect(selection.toJSON()).toMatchObject({ head: 0, heads: [0] });
    selection.isolate(0);
    expect(selection.heads.value.length).toBeGreaterThan(1);
    selection.isolate(1);
    expect(selection.toJSON()).toMatchObject({ head: 1, heads: [1] });
  });

  test('is restored as it was stored, also before the first trace', () => {
    const saved: SelectionState = {
      item: 1,
      site: 1,
      head: 2,
      heads: [0, 2],
      query: 2,
      key: 0,
      dimension: 3,
      pairs: 'ab'
    };
    const selection = new Selection();
    selection.restore(saved);
    selection.fit(shown('t1', { items: 2 }));
    expect(selection.toJSON()).toEqual(saved);
  });
});

test('a token that both texts share at their beginning or end is found again', () => {
  // Texts without common words: they share only what was kept.
  const ids = (of: number) => fc.array(fc.integer({ min: of, max: of + 3 }), { maxLength: 5 });
  fc.assert(
    fc.property(ids(0), ids(10), ids(20), ids(30), (head, from, to, tail) => {
      const before = [...head, ...from, ...tail].map(id => token(id));
      const after = [...head, ...to, ...tail].map(id => token(id));
      before.forEach((_, i) => {
        const at = moved(i, before, after);
        expect(at).toBeGreaterThanOrEqual(0);
        if (after.length) {
          expect(at).toBeLessThan(after.length);
        }
        if (i < head.length || i >= before.length - tail.length) {
          expect(after[at]?.id).toBe(before[i]?.id);
        }
      });
    })
  );
});
