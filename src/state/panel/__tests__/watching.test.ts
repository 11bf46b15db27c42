import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { State } from '../../../protocol/messages';
import { HandBackend, headPayload, headKey, settled, state, trace } from '../../__tests__/kernel';
import { CellDocument } from '../../kernel/cell-document';
import { KernelSession } from '../../kernel/kernel-session';
import { PanelState } from '../panel';

let session: KernelSession;
let backend: HandBackend;
let panel: PanelState;

beforeEach(() => {
  vi.useFakeTimers();
  session = new KernelSession(CellDocument);
  backend = new HandBackend();
  panel = new PanelState('p', session, false);
});

afterEach(() => {
  panel.dispose();
  session.dispose();
  vi.useRealTimers();
});

/** Methods of the requests since the last look. */
let seen = 0;
function asked(): string[] {
  const since = backend.open.slice(seen).map(({ method }) => method);
  seen = backend.open.length;
  return since;
}

beforeEach(() => (seen = 0));

/** Lets whatever waits for a moment be done. */
async function rest(): Promise<void> {
  await vi.advanceTimersByTimeAsync(100);
}

/** Answers the newest greeting. */
async function meet(held: State): Promise<void> {
  const result = { capabilities: [], missing: [], state: held };
  backend.asked('initialize').at(-1)?.answer(result);
  await settled();
}

async function opened(held = state(1, { traces: [trace('t1')] })): Promise<void> {
  panel.visible.value = true;
  session.attach(backend, held);
  await rest();
  asked();
}

async function closed(): Promise<void> {
  panel.visible.value = false;
  await rest();
}

test('closing the last panel makes the page leave, and then it sends and receives nothing', async () => {
  session.documents.follow('a', 'one', true);
  await opened();
  await closed();
  expect(asked()).toEqual(['unsubscribe', 'leave']);
  session.documents.document('a')?.edit('two');
  session.documents.follow('b', 'three', true);
  backend.push(2, { trace: trace('t2'), removed: ['t1'] });
  backend.push(7, { running: 'a' });
  await rest();
  expect(asked()).toEqual([]);
  expect(session.traces.value.map(({ id }) => id)).toEqual(['t1']);
  expect(session.documents.document('a')?.phase.value).toBe('paused');
});

test('a page that attaches while nothing is shown leaves immediately', async () => {
  session.attach(backend, state(1));
  await rest();
  expect(asked()).toEqual(['leave']);
});

test('older views are marked until the opening panel has newer ones', async () => {
  await opened();
  session.payloads.put(headPayload('t1', 0, 1), [new ArrayBuffer(4)]);
  session.payloads.put(headPayload('gone', 0, 1), [new ArrayBuffer(4)]);
  await closed();
  panel.visible.value = true;
  await rest();
  expect(asked()).toEqual(expect.arrayContaining(['initialize', 'subscribe']));
  expect(panel.trace.value?.id).toBe('t1');
  expect(panel.follower.stale.value).toBe(true);
  expect(panel.follower.status.value.kind).toBe('starting');
  await meet(state(9, { traces: [trace('t1'), trace('t2', { cell: 'b' })] }));
  expect(panel.trace.value?.id).toBe('t2');
  expect(panel.follower.stale.value).toBe(false);
  // Of the same kernel: what was fetched before is here still.
  expect(session.payloads.has(headKey('t1', 0))).toBe(true);
});

test('payloads of another kernel are not used', async () => {
  await opened();
  session.payloads.put(headPayload('t1', 0, 1), [new ArrayBuffer(4)]);
  await closed();
  session.detach('restarted');
  session.attach(backend, state(1));
  panel.visible.value = true;
  await rest();
  await meet(state(1, { traces: [trace('t1')] }));
  expect(session.payloads.has(headKey('t1', 0))).toBe(false);
});

test('pushes that come while a page is greeted are replayed', async () => {
  await opened();
  await closed();
  panel.visible.value = true;
  await rest();
  backend.push(4, { trace: trace('t4', { execution: 4 }), removed: ['t1'] });
  await meet(state(3, { traces: [trace('t1')] }));
  expect(session.traces.value.map(({ id }) => id)).toEqual(['t4']);
  expect(asked()).not.toContain('state');
});

test('the page does not leave if a view opens as another closes', async () => {
  const other = new PanelState('q', session, false);
  await opened();
  panel.visible.value = false;
  other.visible.value = true;
  await rest();
  expect(asked()).not.toContain('leave');
  other.dispose();
});

test('of the cells that were edited unseen the one that is shown is followed', async () => {
  const source = (cell: string) => {
    const common = { execution: 1, origins: [], diagnostics: [], outdated: false };
    return { cell, text: 'one', ...common };
  };
  const held = state(1, {
    traces: [trace('t1'), trace('t2', { cell: 'b' })],
    sources: [source('a'), source('b')]
  });
  for (const cell of ['a', 'b']) {
    session.documents.follow(cell, 'one', true);
  }
  await opened(held);
  await closed();
  session.documents.document('a')?.edit('two');
  session.documents.document('b')?.edit('two');
  panel.visible.value = true;
  await rest();
  await meet({ ...held, last: 'b' });
  backend.asked('textDocument/didOpen').forEach(({ answer }) => {
    answer({ version: 0, live: true, diagnostics: [], milliseconds: 0 });
  });
  await rest();
  const edits = () => backend.asked('textDocument/didChange').map(({ params }) => params);
  expect(edits()).toMatchObject([{ cell: 'b' }]);
  expect(session.documents.document('a')?.phase.value).toBe('stale');
  panel.follower.pin('a');
  await rest();
  expect(edits().at(-1)).toMatchObject({ cell: 'a' });
});
