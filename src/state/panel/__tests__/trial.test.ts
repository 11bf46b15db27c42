import { beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode, type TraceSummary } from '../../../protocol/messages';
import { RpcError } from '../../../protocol/rpc-error';
import { HandBackend, settled, state, trace } from '../../__tests__/kernel';
import { KernelSession } from '../../kernel/kernel-session';
import { TraceFollower } from '../trace-follower';
import { Trial } from '../trial';

let backend: HandBackend;
let follower: TraceFollower;
let trial: Trial;
let revision: number;

/** The kernel has a new trace, in the place of these. */
function push(made: TraceSummary, ...removed: string[]): void {
  backend.push(++revision, { trace: made, removed });
}

/** Answers the newest request for the texts of a call. */
async function textsArrive(...texts: string[]): Promise<void> {
  backend.asked('trace/trialTexts').at(-1)?.answer({ texts, reason: '' });
  await settled();
}

/** The texts in the boxes. */
function boxes(): readonly string[] | string {
  const now = trial.texts.value;
  return now.state === 'open' ? now.texts : now.state;
}

function params(method: 'trace/trialTexts' | 'trace/trial'): unknown[] {
  return backend.asked(method).map(request => request.params);
}

beforeEach(() => {
  revision = 0;
  const session = new KernelSession();
  session.watch();
  follower = new TraceFollower(session);
  backend = new HandBackend();
  session.attach(backend, state(0, { traces: [trace('t1')] }));
  trial = new Trial(session, follower);
});

describe('a trial', () => {
  test('opens with the texts of the shown call and shows no trace yet', async () => {
    trial.open();
    expect(boxes()).toBe('asking');
    await textsArrive('a fox', 'a hen');
    expect(boxes()).toEqual(['a fox', 'a hen']);
    expect(follower.current.value?.id).toBe('t1');
    expect(params('trace/trial')).toEqual([]);
  });

  test('tries all texts when one of them is typed', async () => {
    trial.open();
    await textsArrive('a fox', 'a hen');
    trial.type(1, 'a cow');
    expect(params('trace/trial')).toMatchObject([{ trace: 't1', texts: ['a fox', 'a cow'] }]);
    push(trace('try1', { trial: true }));
    backend.asked('trace/trial')[0]?.answer({ trace: 'try1' });
    await settled();
    expect(follower.current.value?.id).toBe('try1');
    expect(follower.status.value.kind).toBe('tried');
  });

  test('shows why a call cannot be repeated with another text', async () => {
    trial.open();
    backend.asked('trace/trialTexts')[0]?.answer({ texts: [], reason: 'It is in training mode.' });
    await settled();
    expect(trial.texts.value).toEqual({ state: 'refused', why: 'It is in training mode.' });
  });

  test('keeps the last views, marked as stale, until a text is accepted', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a cow');
    push(trace('try1', { trial: true }));
    backend.asked('trace/trial')[0]?.answer({ trace: 'try1' });
    await settled();
    trial.type(0, '');
    const refusal = new RpcError(ErrorCode.INVALID_PARAMS, 'It has no tokens.');
    backend.asked('trace/trial')[1]?.fail(refusal);
    await settled();
    expect(trial.error.value).toBe('It has no tokens.');
    expect([follower.current.value?.id, follower.stale.value]).toEqual(['try1', true]);
    trial.type(0, 'a');
    expect(trial.error.value).toBeNull();
  });

  test('cancels a text for the next, whose answer alone counts', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a c');
    trial.type(0, 'a cow');
    const [first, second] = backend.asked('trace/trial');
    expect([first?.signal?.aborted, second?.signal?.aborted]).toEqual([true, false]);
    push(trace('try2', { trial: true }));
    second?.answer({ trace: 'try2' });
    first?.fail(new Error('cancelled'));
    await settled();
    expect(trial.error.value).toBeNull();
    expect(follower.trial.value).toEqual({ trace: 'try2', state: 'shown' });
  });

  test('reports how far the newest pass is, and nothing of one that was cancelled', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a c');
    const [first] = backend.asked('trace/trial');
    first?.onProgress?.({ id: 1, done: 1, total: 4, operation: '' });
    expect(trial.progress.value).toMatchObject({ done: 1, total: 4 });
    trial.type(0, 'a cow');
    first?.onProgress?.({ id: 1, done: 2, total: 4, operation: '' });
    expect(trial.progress.value).toBeNull();
  });

  test('asks for the state where the push of its trace was lost', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a cow');
    backend.asked('trace/trial')[0]?.answer({ trace: 'try1' });
    await settled();
    expect(backend.asked('state')).toHaveLength(1);
  });

  test('ends when it is closed, even if a reply is pending', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a cow');
    trial.close();
    backend.asked('trace/trial')[0]?.answer({ trace: 'try1' });
    await settled();
    push(trace('t2', { execution: 2 }), 't1');
    expect([boxes(), follower.trial.value]).toEqual(['closed', null]);
    expect(params('trace/trialTexts')).toHaveLength(1);
  });
});

describe('a run while the box is open', () => {
  test('arrives with its text; the box keeps the old one until then', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a cow');
    push(trace('t2', { execution: 2 }), 't1');
    expect(boxes()).toEqual(['a cow']);
    expect(backend.asked('trace/trial')[0]?.signal?.aborted).toBe(true);
    await textsArrive('a red hen');
    expect(boxes()).toEqual(['a red hen']);
    expect(params('trace/trialTexts').at(-1)).toEqual({ trace: 't2' });
    expect(follower.trial.value).toBeNull();
  });

  test('does not remove text that is typed after it', async () => {
    trial.open();
    await textsArrive('a fox');
    push(trace('t2', { execution: 2 }), 't1');
    trial.type(0, 'a cow');
    await textsArrive('a red hen');
    expect(boxes()).toEqual(['a cow']);
    expect(params('trace/trial')).toMatchObject([{ trace: 't2', texts: ['a cow'] }]);
  });

  test('opens a box that was refused before the run', async () => {
    trial.open();
    backend.asked('trace/trialTexts')[0]?.answer({ texts: [], reason: 'It is in training mode.' });
    await settled();
    push(trace('t2', { execution: 2 }), 't1');
    await textsArrive('a fox');
    expect(boxes()).toEqual(['a fox']);
  });
});

describe('an edit of the cell while the box is open', () => {
  test('arrives with its text if no trial is open', async () => {
    trial.open();
    await textsArrive('a fox');
    push(trace('t2'), 't1');
    await textsArrive('a fox runs');
    expect(boxes()).toEqual(['a fox runs']);
  });

  test('does not replace a trial text', async () => {
    trial.open();
    await textsArrive('a fox');
    trial.type(0, 'a cow');
    push(trace('t2'), 't1');
    expect(params('trace/trialTexts')).toHaveLength(1);
    expect(boxes()).toEqual(['a cow']);
    expect(backend.asked('trace/trial')[0]?.signal?.aborted).toBe(false);
  });
});

test('a panel that switches to another cell shows its texts in the box', async () => {
  trial.open();
  await textsArrive('a fox');
  trial.type(0, 'a cow');
  push(trace('b1', { cell: 'b' }));
  follower.pin('b');
  await textsArrive('a hen');
  expect(params('trace/trialTexts').at(-1)).toEqual({ trace: 'b1' });
  expect(boxes()).toEqual(['a hen']);
});
