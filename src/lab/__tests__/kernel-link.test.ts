import type { ISessionContext } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { bridge, offer, type HubModel } from '../../protocol/bridge';
import { ErrorCode, type Envelope } from '../../protocol/messages';
import { PanelState } from '../../state/panel';
import { KernelLink } from '../kernel-link';

// The transport makes its control messages with this; the subshell takes none.
vi.mock('@jupyterlab/services', () => ({ KernelMessage: {} }));
/** Translates nothing. */
const trans = {
  __: (text: string, ...values: string[]) =>
    text.replace(/%(\d)/g, (_, n: string) => values[Number(n) - 1] ?? '')
} as unknown as TranslationBundle;

type Listener = (content: unknown, buffers: []) => void;

/** A hub whose kernel answers every request with the same. */
function hub(answer: object): HubModel {
  const listeners = new Set<Listener>();
  return {
    get: name => (name === 'session' ? 'life' : {}),
    set: () => undefined,
    save_changes: () => undefined,
    send: content => {
      const { sender, rpc } = content as Envelope & { rpc: { id?: number } };
      const reply = {
        sender: 'kernel',
        to: sender,
        session: 'life',
        rpc: { jsonrpc: '2.0', id: rpc.id, ...answer }
      };
      queueMicrotask(() => listeners.forEach(listener => listener(reply, [])));
    },
    on: (_, callback) => void listeners.add(callback as Listener),
    off: (_, callback) => void listeners.delete(callback as Listener)
  };
}

/** A kernel that evaluates the start of the backend to this. */
function notebook(started: object) {
  const content = { status: 'ok', user_expressions: { attnlab: started } };
  const kernel = {
    id: 'k',
    clientId: 'c',
    name: 'python3',
    status: 'idle',
    supportsSubshells: true,
    info: Promise.resolve({}),
    requestExecute: () => ({ done: Promise.resolve({ content }) })
  };
  const context = {
    session: { kernel },
    specsManager: { specs: null },
    kernelChanged: new Signal<object, never>(kernel),
    statusChanged: new Signal<object, never>(kernel)
  };
  return context as unknown as ISessionContext;
}

let state: PanelState;
let link: KernelLink;
let gone: AbortController;

function opened(started: object): KernelLink {
  link = new KernelLink(notebook(started), state.session, trans, () => true);
  return link;
}

function offered(answer: object): void {
  offer({ model: hub(answer), kernel: 'k', connection: 'c', signal: gone.signal });
}

beforeEach(() => {
  state = new PanelState('p');
  gone = new AbortController();
});

afterEach(() => {
  link.dispose();
  state.dispose();
  state.session.dispose();
  gone.abort();
  expect(bridge().hubs.size + bridge().listeners.size).toBe(0);
});

test('another version of the protocol is said with the command that updates attnlab', async () => {
  const message = 'The panel speaks version 2 of attnlab’s protocol, the kernel version 1.';
  const remedy = 'pip install --upgrade attnlab';
  opened({});
  offered({ error: { code: ErrorCode.VERSION_MISMATCH, message, data: { remedy } } });
  await vi.waitFor(() => {
    expect(state.follower.status.value).toEqual({ kind: 'dead', message, remedy });
  });
});

test('an environment without a package is told which, and how to install it', async () => {
  const missing = ['torch', 'transformers'];
  await opened({ status: 'ok', data: { 'application/json': { missing } } }).start();
  expect(state.follower.status.value).toMatchObject({
    message: "The kernel's environment lacks torch, transformers.",
    remedy: "pip install 'attnlab[kernel]'"
  });
});

test('an environment without attnlab itself is told so', async () => {
  const evalue = "No module named 'attnlab'";
  await opened({ status: 'error', ename: 'ModuleNotFoundError', evalue }).start();
  expect(state.follower.status.value).toMatchObject({
    message: "The kernel's environment lacks attnlab.",
    remedy: "pip install 'attnlab[kernel]'"
  });
});

test('a backend that runs already but lacks a package says so when it is reached', async () => {
  opened({});
  offered({
    result: {
      protocol: 1,
      server: 'attnlab',
      session: 'life',
      capabilities: ['busy/subshell'],
      missing: ['transformers'],
      state: { revision: 0, running: null, traces: [], problems: [], sources: [] }
    }
  });
  await vi.waitFor(() => {
    expect(state.follower.status.value).toMatchObject({
      message: "The kernel's environment lacks transformers.",
      remedy: "pip install 'attnlab[kernel]'"
    });
  });
});

test('an error in starting is said in full', async () => {
  await opened({ status: 'error', ename: 'RuntimeError', evalue: 'no built files' }).start();
  expect(state.follower.status.value).toMatchObject({
    kind: 'dead',
    message: 'attnlab does not start in the kernel: RuntimeError: no built files'
  });
});
