import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PublishParams, State, TraceSummary } from '../../../protocol/messages';
import { HandBackend, headPayload, headKey, settled, state, trace } from '../../__tests__/kernel';
import { TraceFollower } from '../../panel/trace-follower';
import { KernelSession } from '../kernel-session';

function made(initial?: State) {
  const session = new KernelSession();
  session.watch();
  const follower = new TraceFollower(session);
  const backend = new HandBackend();
  session.attach(backend, initial);
  return { session, follower, backend, payloads: session.payloads };
}

const PROBLEM = {
  cell: 'a',
  execution: 2,
  title: 'The pass failed',
  cause: 'ValueError',
  remedy: 'Mend it.'
};

describe('a session', () => {
  test('asks for the state, and is ready with the newest trace', async () => {
    const { follower, backend } = made();
    expect(follower.status.value.kind).toBe('starting');
    backend.open[0]?.answer(state(4, { traces: [trace('t1'), trace('t2', { cell: 'b' })] }));
    await settled();
    expect(follower.status.value.kind).toBe('ready');
    expect(follower.current.value?.id).toBe('t2');
  });

  test('follows the cell that ran last, unless one is pinned', () => {
    const { follower, backend } = made(state(0));
    backend.push(1, { trace: trace('t1') });
    backend.push(2, { trace: trace('t2', { cell: 'b' }) });
    expect(follower.current.value?.id).toBe('t2');
    follower.pin('a');
    expect(follower.current.value?.id).toBe('t1');
    backend.push(3, { trace: trace('t3', { cell: 'b' }), removed: ['t2'] });
    expect(follower.current.value?.id).toBe('t1');
    follower.pin(null);
    expect(follower.current.value?.id).toBe('t3');
  });

  test('keeps to the picked call of a cell over its next run', () => {
    const { follower, backend } = made(state(0));
    backend.push(1, { trace: trace('t1', { call: 0 }) });
    backend.push(2, { trace: trace('t2', { call: 1 }) });
    follower.pick('t1');
    expect(follower.current.value?.id).toBe('t1');
    backend.push(3, { trace: trace('u1', { call: 0, execution: 2 }), removed: ['t1', 't2'] });
    backend.push(4, { trace: trace('u2', { call: 1, execution: 2 }) });
    expect(follower.current.value?.id).toBe('u1');
    follower.pick(null);
    expect(follower.current.value?.id).toBe('u2');
  });

  test('is never empty while a run replaces an older one', () => {
    const { follower, backend } = made(state(1, { traces: [trace('t1')] }));
    const seen: (string | undefined)[] = [];
    follower.current.subscribe(current => seen.push(current?.id));
    backend.push(2, { trace: trace('t2'), removed: ['t1'] });
    expect(seen).toEqual(['t1', 't2']);
  });

  test('marks the last good trace as stale when its cell fails, until it runs again', () => {
    const { follower, backend } = made(state(1, { traces: [trace('t1')] }));
    backend.push(2, { problem: PROBLEM });
    expect(follower.current.value?.id).toBe('t1');
    expect(follower.stale.value).toBe(true);
    expect(follower.status.value).toMatchObject({ kind: 'stale', remedy: 'Mend it.' });
    backend.push(3, { running: 'a', resolved: ['a'] });
    expect(follower.problem.value).toBeNull();
    backend.push(4, { trace: trace('t2', { execution: 3 }), removed: ['t1'] });
    expect(follower.stale.value).toBe(false);
    expect(follower.status.value.kind).toBe('ready');
  });

  test('does not mark a trace of the run with the problem as stale', () => {
    const { follower, backend } = made(state(0));
    backend.push(1, { trace: trace('t1', { execution: 2 }) });
    backend.push(2, { problem: PROBLEM });
    expect(follower.problem.value).toEqual(PROBLEM);
    expect(follower.stale.value).toBe(false);
    expect(follower.status.value.kind).toBe('ready');
  });

  test('shows that the kernel is gone rather than an earlier failure', () => {
    const { session, follower } = made(state(1, { traces: [trace('t1')], problems: [PROBLEM] }));
    session.detach('The kernel was restarted; run the cell again.');
    expect(follower.problem.value).toBeNull();
    expect(follower.stale.value).toBe(true);
  });

  test('shows that a cell is running', () => {
    const { follower, backend } = made(state(1, { traces: [trace('t1')] }));
    backend.push(2, { running: 'a' });
    expect(follower.status.value.kind).toBe('running');
    follower.pin('b');
    expect(follower.status.value.kind).not.toBe('running');
  });

  test('shows a push after a gap immediately and requests what it missed', async () => {
    const { session, follower, backend } = made(state(1));
    backend.push(3, { trace: trace('t3', { cell: 'b' }) });
    expect(follower.current.value?.id).toBe('t3');
    expect(backend.asked('state')).toHaveLength(1);
    backend.push(4, { trace: trace('t4', { cell: 'c' }) });
    backend.open[0]?.answer(state(3, { traces: [trace('t2'), trace('t3', { cell: 'b' })] }));
    await settled();
    expect(session.traces.value.map(({ id }) => id)).toEqual(['t2', 't3', 't4']);
    expect(backend.asked('state')).toHaveLength(1);
  });

  test('stores the payloads of a push before its trace is shown', () => {
    const { follower, backend, payloads } = made(state(0));
    const seen: string[] = [];
    follower.current.subscribe(
      now => now && seen.push(payloads.want(headKey(now.id, 1)).peek().state)
    );
    const buffer = new Float32Array([1]).buffer;
    backend.push(1, { trace: trace('t1'), payloads: [headPayload('t1', 1, 1)] }, [buffer]);
    expect(seen).toEqual(['ready']);
  });

  test('uses only the payloads of a push that is older than the state', () => {
    const { session, backend, payloads } = made(state(5, { traces: [trace('t1')] }));
    const buffer = new Float32Array([1]).buffer;
    const late = [headPayload('t1', 1, 1), headPayload('gone', 1, 1)];
    backend.push(4, { trace: trace('t0', { cell: 'b' }), payloads: late }, [buffer]);
    expect(session.traces.value.map(({ id }) => id)).toEqual(['t1']);
    expect(payloads.want(headKey('t1', 1)).peek().state).toBe('ready');
    expect(payloads.bytes).toBe(4);
  });

  test('keeps the views of a lost kernel, marked as stale, with the reason', () => {
    const { session, follower, backend } = made(state(1, { traces: [trace('t1')] }));
    session.detach('The kernel was restarted; run the cell again.');
    expect(follower.status.value).toEqual({
      kind: 'dead',
      message: 'The kernel was restarted; run the cell again.'
    });
    expect(follower.current.value?.id).toBe('t1');
    expect(follower.stale.value).toBe(true);
    expect(backend.listeners).toBe(0);
  });

  test('keeps showing the reason until the cell has run in the new kernel', () => {
    const { session, follower } = made(state(1, { traces: [trace('t1')] }));
    session.detach('The kernel was restarted; run the cell again.');
    const next = new HandBackend();
    session.attach(next, state(0));
    expect(follower.current.value).toBeNull();
    expect(follower.status.value).toMatchObject({
      kind: 'none',
      message: 'The kernel was restarted; run the cell again.'
    });
    next.push(1, { trace: trace('t1') });
    expect(follower.status.value.kind).toBe('ready');
  });

  test('is detached when its backend is gone', () => {
    const { follower, backend } = made(state(1));
    backend.die('The kernel died.');
    expect(follower.status.value).toMatchObject({ kind: 'dead', message: 'The kernel died.' });
  });

  test('shows the message of the host while there is no kernel', () => {
    const session = new KernelSession();
    const follower = new TraceFollower(session);
    const word = { kind: 'none', message: 'No transformers.', remedy: 'pip install x' } as const;
    session.setStatus(word);
    expect(follower.status.value).toEqual(word);
  });
});

describe('a kernel that does not answer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is shown as waiting until it answers', async () => {
    const { follower, backend } = made();
    vi.advanceTimersByTime(2000);
    expect(follower.status.value.kind).toBe('waiting');
    backend.open[0]?.answer(state(1));
    await settled();
    expect(follower.status.value.kind).toBe('none');
  });

  test('is requested again after a failure, until the session is detached', async () => {
    const { session, follower, backend } = made();
    backend.open[0]?.refuse('No answer in time.');
    await settled();
    expect(follower.status.value).toEqual({ kind: 'waiting', message: 'No answer in time.' });
    vi.advanceTimersByTime(2000);
    expect(backend.asked('state')).toHaveLength(2);
    backend.open[1]?.refuse('No answer in time.');
    await settled();
    session.detach('gone');
    vi.advanceTimersByTime(10_000);
    expect(backend.asked('state')).toHaveLength(2);
  });
});

test('whichever pushes are lost or late, the session ends with the kernel’s state', async () => {
  const run = fc.record({
    cell: fc.constantFrom('a', 'b', 'c'),
    fails: fc.boolean(),
    fate: fc.constantFrom('comes', 'is lost', 'comes late')
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(run, { minLength: 1, maxLength: 12 }),
      fc.nat(12),
      async (runs, at) => {
        let held = state(0);
        const { session, backend } = made();
        const late: Partial<PublishParams>[] = [];
        const answer = (): void => backend.asked('state').at(-1)?.answer(structuredClone(held));
        const pushes = [...runs, { cell: 'a', fails: false, fate: 'comes' }];
        for (const [i, { cell, fails, fate }] of pushes.entries()) {
          if (i === at) {
            answer();
            await settled();
          }
          const made = happened(held, cell, fails, i);
          held = made.state;
          if (fate === 'comes') {
            backend.push(held.revision, made.push);
          } else if (fate === 'comes late') {
            late.push({ ...made.push, revision: held.revision });
          }
        }
        late.forEach(push => backend.push(push.revision ?? 0, push));
        answer();
        await settled();
        const { traces, problems } = session;
        expect(traces.value.map(({ id }) => id)).toEqual(held.traces.map(({ id }) => id));
        expect(problems.value).toEqual(held.problems);
      }
    )
  );
});

/** What a run of a cell does to a kernel's state, and the push that says so. */
function happened(held: State, cell: string, fails: boolean, i: number) {
  const revision = held.revision + 1;
  const problems = held.problems.filter(problem => problem.cell !== cell);
  if (fails) {
    const problem = { ...PROBLEM, cell };
    return { state: { ...held, revision, problems: [...problems, problem] }, push: { problem } };
  }
  const added: TraceSummary = trace(`t${i}`, { cell, execution: i });
  const old = held.traces.filter(other => other.cell === cell).map(({ id }) => id);
  const traces = [...held.traces.filter(({ id }) => !old.includes(id)), added];
  const push = { trace: added, removed: old, resolved: [cell] };
  return { state: { ...held, revision, problems, traces }, push };
}
