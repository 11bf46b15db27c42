import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Source } from '../../../protocol/messages';
import { HandBackend, state, trace } from '../../__tests__/kernel';
import { CellDocument } from '../../kernel/cell-document';
import { KernelSession } from '../../kernel/kernel-session';
import { formatMessage } from '../../kernel/user-messages';
import { phaseMessage } from '../../kernel/phase-message';
import { PanelState } from '../panel';

const FIRST = 'generate("one")';
const SECOND = 'generate("two")';

let session: KernelSession;
let backend: HandBackend;
let panel: PanelState;
let revision: number;

/** The text that the traces of a run are of. */
function source(text: string, execution: number, outdated = false): Source {
  return { cell: 'a', execution, text, origins: [], diagnostics: [], outdated };
}

/** A trace of a prompt of two tokens and some that `generate` has added to them. */
function generating(id: string, execution: number, added: number, more: object = {}) {
  const ids = Array.from({ length: 2 + added }, (_, index) => index + 1);
  return trace(id, { execution, ids, generated: 2, running: true, ...more });
}

function push(more: Parameters<HandBackend['push']>[1]): void {
  backend.push(++revision, more);
}

function attach(before: Source | null): CellDocument {
  const traces = before ? [trace('t1', { execution: before.execution })] : [];
  const sources = before ? [before] : [];
  session.attach(backend, state(revision, { traces, sources }));
  return session.documents.follow('a', SECOND, true);
}

/** The state as a panel shows it, and the message of the status bar. */
function seen(document: CellDocument) {
  const { status, stale, edited } = panel.follower;
  return {
    panel: status.value.kind,
    says: formatMessage(status.value),
    stale: stale.value,
    edited: edited.value,
    bar: document.phase.value,
    barSays: formatMessage(phaseMessage(document))
  };
}

const SO_FAR = (says: string) => ({
  panel: 'running',
  says,
  stale: false,
  edited: false,
  bar: 'running',
  barSays: says
});

beforeEach(() => {
  revision = 1;
  session = new KernelSession(CellDocument);
  backend = new HandBackend();
  panel = new PanelState('p', session);
});

afterEach(() => {
  panel.dispose();
  session.dispose();
});

test.each([
  ['the first run of a cell', null],
  ['a run of an edited text', source(FIRST, 1)],
  ['a second run of the same text', source(SECOND, 1)],
  ['a run after the model has changed', source(FIRST, 1, true)]
])('while generate() runs in %s, its tokens so far are shown and not stale', (_, before) => {
  const document = attach(before);
  push({ running: 'a' });
  push({ running: 'a', trace: generating('t2', 2, 1), removed: ['t1'] });
  expect(seen(document)).toEqual(SO_FAR('generate() is running: 1 of its tokens so far.'));
  push({ running: 'a', trace: generating('t3', 2, 34), removed: ['t2'] });
  expect(seen(document)).toEqual(SO_FAR('generate() is running: 34 of its tokens so far.'));
  push({ trace: trace('t4', { execution: 2, generated: 2 }), running: 'a', removed: ['t3'] });
  expect(seen(document)).toEqual(SO_FAR('The cell is running.'));
  push({ source: source(SECOND, 2) });
  expect(seen(document)).toMatchObject({ panel: 'live', stale: false, bar: 'live' });
});

test('the tokens of several rows or of a decoder are not counted', () => {
  const document = attach(null);
  push({ running: 'a', trace: generating('t2', 2, 3, { items: 2 }) });
  const says = 'generate() is running: its steps so far are shown.';
  expect(seen(document)).toEqual(SO_FAR(says));
  push({ running: 'a', trace: trace('t3', { execution: 2, running: true }), removed: ['t2'] });
  expect(seen(document)).toEqual(SO_FAR(says));
});

test('a text that is edited while generate() runs is outdated once the run has ended', () => {
  const document = attach(source(FIRST, 1));
  push({ running: 'a', trace: generating('t2', 2, 3), removed: ['t1'] });
  document.edit('generate("three")');
  expect(seen(document)).toEqual(SO_FAR('generate() is running: 3 of its tokens so far.'));
  push({ trace: trace('t3', { execution: 2 }), source: source(SECOND, 2), removed: ['t2'] });
  expect(seen(document)).toMatchObject({ stale: true, edited: true, bar: 'computing' });
});

test('an edited cell is outdated while another one runs, and before its own run has a trace', () => {
  const document = attach(source(FIRST, 1));
  expect(seen(document)).toMatchObject({ stale: true, edited: true });
  push({ running: 'b' });
  expect(seen(document)).toMatchObject({ panel: 'running', stale: true, edited: true });
  push({ running: 'a' });
  expect(seen(document)).toMatchObject({ panel: 'running', stale: true, edited: true });
  expect(document.phase.value).toBe('waiting');
});

test('a page that is opened while generate() runs shows the same', () => {
  const traces = [generating('t2', 2, 5)];
  const held = state(revision, { traces, sources: [source(FIRST, 1)], running: 'a' });
  session.attach(backend, held);
  const document = session.documents.follow('a', SECOND, true);
  expect(seen(document)).toEqual(SO_FAR('generate() is running: 5 of its tokens so far.'));
});

test('a kernel that dies while generate() runs leaves its tokens, of no other text', () => {
  const document = attach(source(FIRST, 1));
  push({ running: 'a', trace: generating('t2', 2, 5), removed: ['t1'] });
  backend.die('The kernel died.');
  expect(seen(document)).toMatchObject({ panel: 'dead', stale: true, edited: false });
});
