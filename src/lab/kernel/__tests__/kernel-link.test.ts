import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ErrorCode, type Envelope } from '../../../protocol/messages';
import { formatMessage } from '../../../state/kernel/user-messages';
import { PanelState } from '../../../state/panel/panel';
import { KernelLink } from '../kernel-link';

vi.mock('@jupyterlab/services', () => ({
  KernelMessage: { createMessage: (options: object) => options }
}));

const SESSION = 'attnlab-life';

/** A kernel that evaluates the start of the backend to this. */
class FakeKernel {
  readonly id = 'k';
  readonly clientId = 'c';
  readonly name = 'python3';
  status = 'idle';
  connectionStatus = 'connected';
  readonly anyMessage = new Signal<this, object>(this);
  /** What the backend answers to every request; without it, none runs. */
  answer: object | null = null;
  /** Statuses in which the kernel was asked for its backend, and those of its connection. */
  readonly asked: string[] = [];
  readonly #started: object;

  constructor(started: object) {
    this.#started = started;
  }

  requestExecute() {
    const content = { status: 'ok', user_expressions: { attnlab: this.#started } };
    return { done: Promise.resolve({ content }) };
  }

  requestCommInfo() {
    this.asked.push(`${this.status}, ${this.connectionStatus}`);
    const comms = this.answer ? { [SESSION]: {} } : {};
    return Promise.resolve({ content: { status: 'ok', comms } });
  }

  sendShellMessage(message: Parameters<FakeKernel['sendControlMessage']>[0]) {
    return this.sendControlMessage(message);
  }

  sendControlMessage({
    msgType,
    content
  }: {
    msgType: string;
    content: { data: { content: Envelope } };
  }) {
    // A kernel that answers this question on the shell channel only.
    const future = { done: new Promise(() => undefined), dispose: () => undefined };
    if (msgType === 'comm_info_request') {
      return future;
    }
    const { sender, rpc } = content.data.content;
    const reply = { jsonrpc: '2.0', id: rpc.id, ...this.answer };
    const envelope = { sender: 'kernel', to: sender, session: SESSION, rpc: reply };
    queueMicrotask(() => this.tell('comm_msg', { method: 'custom', content: envelope }));
    return future;
  }

  tell(msg_type: string, data: object): void {
    const header = { msg_type, session: 'process' };
    const msg = { channel: 'iopub', header, content: { comm_id: SESSION, data } };
    this.anyMessage.emit({ direction: 'recv', msg });
  }
}

let kernel: FakeKernel;
let context: ISessionContext;
let state: PanelState;
let link: KernelLink;

function opened(started: object): KernelLink {
  kernel = new FakeKernel(started);
  const signals = ['kernelChanged', 'statusChanged', 'connectionStatusChanged'];
  context = {
    session: { kernel },
    specsManager: { specs: null },
    ...Object.fromEntries(signals.map(name => [name, new Signal<object, never>(kernel)]))
  } as unknown as ISessionContext;
  link = new KernelLink(context, state.session, () => true);
  return link;
}

/** The answer of a backend whose environment lacks these packages. */
function welcome(missing: string[]): object {
  return {
    result: {
      protocol: 1,
      server: 'attnlab',
      session: SESSION,
      capabilities: ['busy/subshell'],
      missing,
      state: { revision: 0, running: null, traces: [], problems: [], sources: [] }
    }
  };
}

function setStatus(status: string): void {
  kernel.status = status;
  (context.statusChanged as Signal<ISessionContext, Kernel.Status>).emit(status as Kernel.Status);
}

function setConnection(status: Kernel.ConnectionStatus): void {
  kernel.connectionStatus = status;
  const changed = context.connectionStatusChanged;
  (changed as Signal<ISessionContext, Kernel.ConnectionStatus>).emit(status);
}

/** The status as a person reads it without a translation. */
function read(): { kind: string; message: string; remedy?: string } {
  const { values, ...status } = state.follower.status.value;
  return { ...status, message: formatMessage({ ...status, ...(values && { values }) }) };
}

/** A backend that answers so begins, whoever has started it. */
function begun(answer: object): void {
  kernel.answer = answer;
  kernel.tell('comm_open', {});
}

beforeEach(() => {
  state = new PanelState('p');
});

afterEach(() => {
  link.dispose();
  state.dispose();
  state.session.dispose();
});

test('another version of the protocol is reported with the command that updates attnlab', async () => {
  const message = 'The panel speaks version 2 of attnlab’s protocol, the kernel version 1.';
  const remedy = 'pip install --upgrade attnlab';
  opened({});
  begun({ error: { code: ErrorCode.VERSION_MISMATCH, message, data: { remedy } } });
  await vi.waitFor(() => {
    expect(read()).toEqual({ kind: 'dead', message, remedy });
  });
});

test('a missing package is reported with the command that installs it', async () => {
  const missing = ['torch', 'transformers'];
  await opened({ status: 'ok', data: { 'application/json': { missing } } }).start();
  expect(read()).toMatchObject({
    message: "The kernel's environment is missing torch, transformers.",
    remedy: "pip install 'attnlab[kernel]'"
  });
});

test('a missing attnlab is reported', async () => {
  const evalue = "No module named 'attnlab'";
  await opened({ status: 'error', ename: 'ModuleNotFoundError', evalue }).start();
  expect(read()).toMatchObject({
    message: "The kernel's environment is missing attnlab.",
    remedy: "pip install 'attnlab[kernel]'"
  });
});

test('a running backend that lacks a package reports that when it is reached', async () => {
  opened({});
  begun(welcome(['transformers']));
  await vi.waitFor(() => {
    expect(read()).toMatchObject({
      message: "The kernel's environment is missing transformers.",
      remedy: "pip install 'attnlab[kernel]'"
    });
  });
});

test('an error while starting is reported in full', async () => {
  await opened({ status: 'error', ename: 'RuntimeError', evalue: 'no built files' }).start();
  expect(read()).toMatchObject({
    kind: 'dead',
    message: 'attnlab failed to start in the kernel: RuntimeError: no built files'
  });
});

test('a message is translated before its values are filled in', async () => {
  await opened({ status: 'error', ename: 'RuntimeError', evalue: 'no built files' }).start();
  expect(state.follower.status.value).toMatchObject({
    message: 'attnlab failed to start in the kernel: %1',
    values: ['RuntimeError: no built files']
  });
});

async function attached(): Promise<void> {
  opened({});
  begun(welcome([]));
  await vi.waitFor(() => {
    expect(read().message).toBe('No watched cell has run yet.');
  });
  kernel.asked.length = 0;
}

// JupyterLab opens another socket to a kernel that restarts. What the server could not deliver yet
// over the former one reaches the new process from two sockets of one identity, of which it may
// listen to the wrong one from then on.
test('a kernel that restarts is asked for its backend over its new connection only', async () => {
  await attached();
  for (const status of ['restarting', 'autorestarting']) {
    setStatus(status);
  }
  setConnection('connecting');
  setStatus('unknown');
  expect(kernel.asked).toEqual([]);
  setConnection('connected');
  setStatus('starting');
  setStatus('idle');
  expect(kernel.asked).toEqual(['unknown, connected']);
});

test('a kernel that did not restart after all is asked for its backend', async () => {
  await attached();
  setStatus('restarting');
  setStatus('idle');
  setStatus('busy');
  expect(kernel.asked).toEqual(['idle, connected']);
});
