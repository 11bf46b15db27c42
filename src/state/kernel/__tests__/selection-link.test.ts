import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SelectionState, SelectionParams } from '../../../protocol/messages';
import { HandBackend, state, trace } from '../../__tests__/kernel';
import { PanelState } from '../../panel/panel';
import { KernelSession } from '../kernel-session';

describe('the selections of a notebook’s panels', () => {
  let session: KernelSession;
  let backend: HandBackend;
  let one: PanelState;
  let two: PanelState;

  beforeEach(() => {
    vi.useFakeTimers();
    session = new KernelSession();
    backend = new HandBackend();
    one = new PanelState('one', session);
    two = new PanelState('two', session);
  });

  afterEach(() => {
    one.dispose();
    two.dispose();
    session.dispose();
    expect(backend.listeners).toBe(0);
    vi.useRealTimers();
  });

  const attach = () => {
    session.attach(backend, state(1, { traces: [trace('t1')] }));
    one.use();
    received();
  };

  /** Selections that the kernel received since the last call: the panel and one field. */
  const received = <K extends keyof SelectionState>(
    part: K = 'head' as K
  ): [string, SelectionState[K]][] => {
    vi.advanceTimersByTime(1000);
    return backend.notified.splice(0).map(({ method, params }) => {
      expect(method).toBe('selection/didChange');
      const { panel, selection } = params as SelectionParams;
      return [panel, selection[part]];
    });
  };

  const selected = (panel: PanelState, more: Partial<SelectionState>): SelectionState => ({
    ...panel.selection.toJSON(),
    ...more
  });

  test('are sent to a new kernel, the most recently used last', () => {
    one.selection.setFocus({ site: 0, head: 3 });
    two.selection.setFocus({ site: 0, head: 2 });
    one.use();
    session.attach(backend, state(1, { traces: [trace('t1')] }));
    expect(received()).toEqual([
      ['two', 2],
      ['one', 3]
    ]);
  });

  test('are sent once they stop changing, and not again', () => {
    attach();
    for (const head of [1, 2, 3]) {
      one.selection.setFocus({ site: 1, head });
      vi.advanceTimersByTime(20);
    }
    expect(backend.notified).toEqual([]);
    expect(received()).toEqual([['one', 3]]);
    expect(received()).toEqual([]);
  });

  test('are sent without what is hovered', () => {
    attach();
    one.selection.hover.value = { query: 1 };
    expect(received()).toEqual([]);
  });

  test('are sent when a panel is used, even if nothing has changed', () => {
    attach();
    two.use();
    expect(received()).toEqual([['two', 0]]);
    two.use();
    expect(received()).toEqual([['two', 0]]);
  });

  test('end with the active panel when the other one changes by itself', () => {
    attach();
    backend.set('two', selected(two, { head: 2, heads: [2] }));
    expect([one.selection.focus.value.head, two.selection.focus.value.head]).toEqual([0, 2]);
    expect(received()).toEqual([
      ['two', 2],
      ['one', 0]
    ]);
  });

  test('apply what Python sets as far as the trace has it, and report the result', () => {
    attach();
    backend.set('one', selected(one, { site: 9, head: 7, heads: [7, 1], query: 50 }));
    expect(one.selection.toJSON()).toMatchObject({ site: 1, head: 3, heads: [1, 3], query: 2 });
    expect(received('heads')).toEqual([['one', [1, 3]]]);
  });

  test('report a request of Python that was not applied', () => {
    attach();
    backend.set('one', selected(one, { item: 5 }));
    expect(received('item')).toEqual([['one', 0]]);
  });

  test('keep what Python sets while a change of the user waits to be sent', () => {
    attach();
    one.selection.setFocus({ site: 0, head: 1 });
    vi.advanceTimersByTime(30);
    backend.set('one', selected(one, { head: 2, heads: [2] }));
    expect(received()).toEqual([['one', 2]]);
    backend.set('one', selected(one, { head: 3, heads: [3] }));
    vi.advanceTimersByTime(30);
    one.selection.setFocus({ site: 0, head: 1 });
    expect(received()).toEqual([['one', 1]]);
  });

  test('are ignored by a page without such a panel', () => {
    attach();
    backend.set('three', selected(one, { head: 2 }));
    expect(received()).toEqual([]);
    expect(one.selection.focus.value.head).toBe(0);
  });

  test('fall back to the panel that was used before the one that closes', () => {
    attach();
    two.use();
    received();
    two.dispose();
    expect(received()).toEqual([['one', 0]]);
    backend.set('two', selected(two, { head: 2 }));
    expect(two.selection.focus.value.head).toBe(0);
  });

  test('are sent only for visible panels; one that is shown again is the last one used', () => {
    attach();
    two.visible.value = false;
    two.selection.setFocus({ site: 0, head: 2 });
    received();
    backend.set('two', selected(two, { head: 1 }));
    expect(two.selection.focus.value.head).toBe(2);
    expect(received()).toEqual([]);
    two.visible.value = true;
    expect(received()).toEqual([['two', 2]]);
  });

  test('are sent to the next kernel, and to none in between', () => {
    attach();
    session.detach('The kernel was restarted; run the cell again.');
    one.selection.setFocus({ site: 0, head: 2 });
    expect(received()).toEqual([]);
    const next = new HandBackend();
    session.attach(next, state(0));
    vi.advanceTimersByTime(1000);
    expect(backend.notified).toEqual([]);
    expect(next.notified.map(({ params }) => (params as SelectionParams).selection.head)).toEqual([
      0, 2
    ]);
  });
});
