import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ErrorCode, type Envelope } from '../../protocol/messages';
import type { HubModel } from '../../protocol/transport';
import { formatMessage } from '../../state/kernel/user-messages';
import { KernelSession } from '../../state/kernel/kernel-session';
import { TraceFollower } from '../../state/panel/trace-follower';
import { linkHub, type LiveHub } from '../hub-link';

type Callback = (...values: unknown[]) => void;

/** A hub of a widget manager, whose kernel answers every `initialize` with the same. */
class FakeHub implements LiveHub {
  comm_live = true;
  running = 'idle';
  answer: object | undefined;
  asked = 0;
  readonly callbacks = new Map<string, Set<Callback>>();

  get(name: string): unknown {
    return { session: 'life', state: this.running }[name];
  }

  set(): void {
    throw new Error('A page sets nothing on the hub.');
  }

  save_changes(): void {
    this.set();
  }

  send(content: unknown): void {
    const { sender, rpc } = content as Envelope & { rpc: { id?: number; method: string } };
    if (rpc.method === 'initialize') {
      this.asked++;
      if (this.answer) {
        const reply = { jsonrpc: '2.0', id: rpc.id, ...this.answer };
        this.tell({ sender: 'kernel', to: sender, session: 'life', rpc: reply });
      }
    }
  }

  on(name: string, callback: (...values: never[]) => void): void {
    const known = this.callbacks.get(name) ?? new Set();
    this.callbacks.set(name, known.add(callback as Callback));
  }

  off(name?: string | null, callback?: ((...values: never[]) => void) | null): void {
    this.callbacks.get(name ?? '')?.delete(callback as Callback);
  }

  tell(content: unknown): void {
    queueMicrotask(() => this.emit('msg:custom', content, []));
  }

  emit(name: string, ...values: unknown[]): void {
    [...(this.callbacks.get(name) ?? [])].forEach(callback => callback(...values));
  }

  get listeners(): number {
    return [...this.callbacks.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

const MET = {
  result: {
    capabilities: [],
    missing: [],
    state: { revision: 0, running: null, traces: [], problems: [], sources: [] }
  }
};

let hub: FakeHub;
let session: KernelSession;
let until: AbortController;

beforeEach(() => {
  hub = new FakeHub();
  session = new KernelSession();
  session.watch();
  until = new AbortController();
});

afterEach(() => {
  until.abort();
  expect(hub.listeners).toBe(0);
  session.dispose();
  vi.useRealTimers();
});

/** Links the session to what the widget manager finds; gives what the panel says of itself. */
function linked(get_model?: (id: string) => Promise<LiveHub>) {
  const model = {
    get: (name: string) => (name === 'hub' ? 'the-hub' : null),
    ...(get_model && { widget_manager: { get_model } })
  } as unknown as HubModel;
  void linkHub(model, session, until.signal);
  return new TraceFollower(session).status;
}

test('finds the hub by its id, and shows what its kernel holds', async () => {
  hub.answer = MET;
  const find = vi.fn(() => Promise.resolve(hub));
  const status = linked(find);
  expect(status.value.kind).toBe('starting');
  await vi.waitFor(() => expect(session.phase.value).toBe('attached'));
  expect(find).toHaveBeenCalledWith('the-hub');
  expect(status.value.kind).toBe('none');
});

test('an output without a kernel says how to get one', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const missing = linked(() => Promise.reject(new Error('widget model not found')));
  await vi.waitFor(() => expect(missing.value.kind).toBe('dead'));
  expect(missing.value.message).toContain('run the cell again');
  hub.comm_live = false;
  const stored = linked(() => Promise.resolve(hub));
  await vi.waitFor(() => expect(stored.value.kind).toBe('dead'));
  expect(stored.value.message).toContain('run the cell again');
  expect(hub.asked).toBe(0);
});

test('a host whose widgets cannot access each other gets a message', () => {
  expect(linked().value).toMatchObject({ kind: 'dead' });
});

test('a kernel of another version is refused with the command that updates it', async () => {
  const remedy = 'pip install --upgrade attnlab';
  hub.answer = { error: { code: ErrorCode.VERSION_MISMATCH, message: 'Old.', data: { remedy } } };
  const status = linked(() => Promise.resolve(hub));
  await vi.waitFor(() => expect(status.value).toEqual({ kind: 'dead', message: 'Old.', remedy }));
});

test('a missing package is named with the command that installs it', async () => {
  hub.answer = { result: { ...MET.result, missing: ['torch'] } };
  const status = linked(() => Promise.resolve(hub));
  await vi.waitFor(() => expect(formatMessage(status.value)).toContain('missing torch'));
  expect(status.value.remedy).toBe("pip install 'attnlab[kernel]'");
});

test('waits for a kernel that is busy, as long as it takes', async () => {
  vi.useFakeTimers();
  const status = linked(() => Promise.resolve(hub));
  await vi.advanceTimersByTimeAsync(6100);
  expect(status.value.kind).toBe('waiting');
  hub.answer = MET;
  await vi.advanceTimersByTimeAsync(6100);
  expect(session.phase.value).toBe('attached');
});

test('repeats no request while a watched cell is known to run', async () => {
  vi.useFakeTimers();
  hub.running = 'running';
  linked(() => Promise.resolve(hub));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(hub.asked).toBe(1);
});

test.each([
  ['restarts', 'kernel was restarted', () => (hub.comm_live = false), 'comm_live_update'],
  ['closes the hub', 'closed', () => undefined, 'destroy']
])('says so when the kernel %s', async (_, said, happen, event) => {
  hub.answer = MET;
  const status = linked(() => Promise.resolve(hub));
  await vi.waitFor(() => expect(session.phase.value).toBe('attached'));
  happen();
  hub.emit(event);
  expect(status.value.kind).toBe('dead');
  expect(status.value.message).toContain(said);
  expect(hub.listeners).toBe(0);
});
