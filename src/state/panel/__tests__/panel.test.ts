import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { HandBackend, settled, state, token, trace } from '../../__tests__/kernel';
import { PanelState } from '../panel';

const ITEM = (of: string, item: number, id: number) => ({
  trace: of,
  item,
  sequences: [{ name: 'tokens' as const, tokens: [token(id), token(2), token(3)] }]
});

describe('a panel', () => {
  let panel: PanelState;
  let backend: HandBackend;

  beforeEach(() => {
    vi.useFakeTimers();
    panel = new PanelState('p');
    backend = new HandBackend();
    panel.session.attach(backend, state(1, { traces: [trace('t1', { items: 4 })] }));
  });

  afterEach(() => {
    panel.dispose();
    panel.session.dispose();
    vi.useRealTimers();
  });

  const first = () => panel.sides.value.queries[0]?.id;

  test('shows the old item until the text of the new one has come', async () => {
    panel.selection.choose(2);
    expect(backend.asked('trace/item')[0]?.params).toEqual({ trace: 't1', item: 2 });
    expect([panel.shown.value?.item, first()]).toEqual([0, 1]);
    backend.asked('trace/item')[0]?.answer(ITEM('t1', 2, 77));
    await settled();
    expect([panel.shown.value?.item, first()]).toEqual([2, 77]);
    panel.selection.choose(0);
    expect(first()).toBe(1);
    panel.selection.choose(2);
    expect(first()).toBe(77);
    expect(backend.asked('trace/item')).toHaveLength(1);
  });

  test('wants only the item that was chosen last', () => {
    panel.selection.choose(1);
    panel.selection.choose(2);
    const [one, two] = backend.asked('trace/item');
    expect([one?.signal?.aborted, two?.signal?.aborted]).toEqual([true, false]);
  });

  test('shows why an item failed to load and keeps the other one selected', async () => {
    panel.selection.choose(2);
    backend.asked('trace/item')[0]?.refuse('The trace was dropped.');
    await settled();
    expect(panel.failure.value?.why).toBe('The trace was dropped.');
    expect([panel.shown.value?.item, panel.selection.item.value]).toEqual([0, 0]);
    panel.selection.choose(2);
    expect(panel.failure.value).toBeNull();
    expect(backend.asked('trace/item')).toHaveLength(2);
  });

  test('uses the item of a new trace from its push', async () => {
    panel.selection.choose(2);
    backend.asked('trace/item')[0]?.answer(ITEM('t1', 2, 77));
    await settled();
    vi.advanceTimersByTime(100);
    expect(backend.asked('subscribe').at(-1)?.params).toMatchObject({ item: 2 });
    const seen: unknown[] = [];
    const stop = panel.sides.subscribe(({ queries }) => seen.push(queries[0]?.id));
    backend.push(2, {
      trace: trace('t2', { items: 4 }),
      items: [ITEM('t2', 2, 88)],
      removed: ['t1']
    });
    expect(seen).toEqual([77, 88]);
    expect(panel.selection.item.value).toBe(2);
    expect(backend.asked('trace/item')).toHaveLength(1);
    stop();
  });

  test('has the kernel keep the trace that it is pinned to', () => {
    vi.advanceTimersByTime(100);
    expect(backend.asked('subscribe').at(-1)?.params).toMatchObject({ pinned: null });
    panel.follower.pin('a');
    vi.advanceTimersByTime(100);
    expect(backend.asked('subscribe').at(-1)?.params).toMatchObject({ pinned: 't1' });
  });

  test('reads no number from sampled thumbnails', () => {
    const array = { dtype: 'u1' as const, buffer: 0, shape: [8, 1, 1] };
    const buffers = [new Uint8Array(8).fill(128).buffer];
    const stop = panel.weights.subscribe(() => undefined);
    const small = { kind: 'thumbnails' as const, trace: 't1', item: 0, ...array };
    backend.push(2, { payloads: [{ ...small, sampled: true }] }, buffers);
    expect(panel.weights.value).toBeNull();
    backend.push(3, { payloads: [{ ...small, sampled: false }] }, buffers);
    expect(panel.weights.value?.at(0, 0)).toBeCloseTo(128 / 255);
    stop();
  });
});
