import { effect, signal } from '@preact/signals-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Payload, SiteSummary } from '../../../protocol/messages';
import { HandBackend, settled, shown, site } from '../../__tests__/kernel';
import { Selection } from '../../view-state/selection';
import { PayloadCache } from '../../kernel/payload-cache';
import type { Shown } from '../../text/tokens';
import { QueryBreakdown } from '../query-breakdown';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function made(more: Partial<SiteSummary> = {}) {
  const payloads = new PayloadCache();
  const backend = new HandBackend();
  payloads.attach(backend);
  const selection = new Selection();
  const trace = signal<Shown | null>(shown('t'));
  const dissection = new QueryBreakdown(payloads, selection, trace, signal(site(0, 3, more)));
  return { backend, selection, dissection };
}

/** Watches as the view does, until the returned function is called. */
function watch({ shown, query, neuron, vectors }: QueryBreakdown): () => void {
  return effect(() => [shown, query, neuron, vectors].forEach(one => one.value));
}

const WIDTH = 2;
const KEYS = 3;

/** Answers all that is open: a query's vector is its number. */
async function answer(backend: HandBackend): Promise<void> {
  for (const { method, params, answer, signal } of backend.open.splice(0)) {
    if (signal?.aborted) {
      continue;
    }
    const place = params as { trace: string; item: number; site: number; head: number };
    const query = (params as { query?: number }).query ?? -1;
    const vectors = method === 'trace/vectors';
    const length = vectors ? KEYS * WIDTH : WIDTH + 2 * KEYS + 2;
    const array = { dtype: 'f4', shape: vectors ? [KEYS, WIDTH] : [length], buffer: 0 } as const;
    const payload: Payload = vectors
      ? { kind: 'vectors', ...place, ...array }
      : { kind: 'neuron', ...place, query, ...array, labels: ['q·k'] };
    answer(payload, [new Float32Array(length).fill(query).buffer]);
  }
  await settled();
}

function asked(backend: HandBackend): unknown[] {
  return backend
    .asked('trace/neuron')
    .filter(({ signal }) => !signal?.aborted)
    .map(({ params }) => (params as { query: number }).query);
}

test('nothing is requested until it is watched', () => {
  const { backend, selection, dissection } = made();
  selection.query.value = 1;
  expect(backend.open).toEqual([]);
  const stop = watch(dissection);
  expect(backend.open.map(({ method }) => method).sort()).toEqual([
    'trace/neuron',
    'trace/vectors'
  ]);
  stop();
  expect(backend.open.every(({ signal }) => signal?.aborted)).toBe(true);
});

test.each([{ query: 1 }, { key: 1 }])(
  'where no query is selected, hovering %o asks for nothing',
  hover => {
    const { dissection, backend, selection } = made();
    const stop = watch(dissection);
    selection.hover.value = hover;
    vi.advanceTimersByTime(500);
    expect(backend.open).toEqual([]);
    stop();
  }
);

test('nothing is requested if only weights are known', () => {
  const { dissection, backend, selection } = made({ terms: 'weights' });
  const stop = watch(dissection);
  selection.query.value = 1;
  selection.hover.value = { query: 2 };
  vi.advanceTimersByTime(500);
  expect(backend.open).toEqual([]);
  stop();
});

test('a hovered query is requested once the pointer rests; until then the selected one stays', async () => {
  const { backend, selection, dissection } = made();
  selection.query.value = 1;
  const stop = watch(dissection);
  await answer(backend);
  expect(dissection.shown.value?.query).toBe(1);

  selection.hover.value = { query: 0 };
  vi.advanceTimersByTime(30);
  selection.hover.value = { query: 2 };
  vi.advanceTimersByTime(50);
  expect(asked(backend)).toEqual([]);
  vi.advanceTimersByTime(20);
  expect(asked(backend)).toEqual([2]);
  expect(dissection.shown.value?.query).toBe(1);
  await answer(backend);
  expect(dissection.shown.value?.query).toBe(2);
  expect(dissection.shown.value?.neuron.q[0]).toBe(2);

  selection.hover.value = {};
  expect(dissection.shown.value?.query).toBe(1);
  expect(backend.open).toEqual([]);
  stop();
});

test('a loaded query is shown as soon as it is hovered', async () => {
  const { backend, selection, dissection } = made();
  selection.query.value = 1;
  const stop = watch(dissection);
  await answer(backend);
  selection.query.value = 2;
  await answer(backend);
  selection.hover.value = { query: 1 };
  expect(dissection.shown.value?.query).toBe(1);
  expect(backend.open).toEqual([]);
  stop();
});

test('numbers of another head are not kept', async () => {
  const { backend, selection, dissection } = made();
  selection.query.value = 1;
  const stop = watch(dissection);
  await answer(backend);
  selection.focus.value = { site: 0, head: 2 };
  expect(dissection.shown.value).toBeNull();
  await answer(backend);
  expect(dissection.shown.value?.query).toBe(1);
  stop();
});

test('older numbers do not replace what the kernel refuses', async () => {
  const { backend, selection, dissection } = made();
  selection.query.value = 1;
  const stop = watch(dissection);
  await answer(backend);
  selection.query.value = 2;
  backend.open.splice(0).forEach(({ refuse }) => refuse('This trace is gone.'));
  await settled();
  expect(dissection.neuron.value).toEqual({ state: 'failed', why: 'This trace is gone.' });
  expect(dissection.shown.value).toBeNull();
  stop();
});
