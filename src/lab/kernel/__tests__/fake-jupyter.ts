import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { ErrorCode, type Envelope, type State } from '../../../protocol/messages';
import { state, trace } from '../../../state/__tests__/kernel';

/** The only cell, which is tagged. */
export const CELL = 'a';

const UNRUN = {
  span: { start: 0, end: 0 },
  severity: 'information',
  code: 'unrun',
  message: 'The cell has not run yet; run it once.'
};

interface Message {
  channel: 'iopub' | 'shell' | 'control';
  header: { msg_type: string; session: string };
  content: Record<string, unknown>;
}

/** What a page receives, in order: messages, and answers to its requests. */
export type Incoming =
  | { is: 'message'; message: Message; process: Process }
  | { is: 'answer'; give: () => void; process: Process }
  | { is: 'restarting'; process: Process };

/** What a page has sent. */
interface Sent {
  channel: 'shell' | 'control';
  work: (process: Process) => void;
}

/** attnlab's backend as far as documents go: what the kernel of `attnlab.server` does. */
export class FakeBackend {
  readonly session: string;
  readonly clients = new Map<string, { version: number; text: string } | null>();
  /** The text that the cell's traces are of; null before it has run. */
  text: string | null = null;
  #revision = 0;

  constructor(readonly process: Process) {
    this.session = `attnlab-${process.number}`;
  }

  run(text: string): void {
    this.text = text;
    this.push();
  }

  receive({ sender, session, rpc }: Envelope): void {
    const { id, method, params } = rpc as { id?: number; method: string; params: never };
    if (session !== this.session || id === undefined) {
      return;
    }
    const answer = (answered: object) => {
      this.#say(sender, { jsonrpc: '2.0', id, ...answered });
    };
    if (method === 'initialize') {
      this.clients.set(sender, null);
      const capabilities = this.process.world.control ? ['busy/control'] : [];
      answer({ result: { capabilities, missing: [], state: this.#state } });
    } else if (!this.clients.has(sender)) {
      answer({ error: { code: ErrorCode.NOT_INITIALIZED, message: 'Unknown.' } });
    } else if (method === 'state') {
      answer({ result: this.#state });
    } else if (method === 'textDocument/didOpen') {
      this.clients.set(sender, params);
      const diagnostics = this.text === null ? [UNRUN] : [];
      answer({ result: { version: 0, live: this.text !== null, diagnostics, milliseconds: 0 } });
    } else if (method === 'textDocument/didChange') {
      this.#change(sender, params, answer);
    } else {
      answer({ result: null });
    }
  }

  #change(
    sender: string,
    { base, version, changes }: { base: number; version: number; changes: Edit[] },
    answer: (answered: object) => void
  ): void {
    const held = this.clients.get(sender);
    const [{ span, text } = { text: '' }] = changes;
    if (span && held?.version !== base) {
      answer({ error: { code: ErrorCode.CONTENT_MODIFIED, message: 'Another version.' } });
      return;
    }
    const before = held?.text ?? '';
    const changed = span ? before.slice(0, span.start) + text + before.slice(span.end) : text;
    this.clients.set(sender, { version, text: changed });
    const ran = this.text !== null;
    if (ran) {
      this.run(changed);
    }
    const diagnostics = ran ? [] : [UNRUN];
    answer({ result: { version, live: ran, diagnostics, milliseconds: 0 } });
  }

  get #source() {
    const common = { origins: [], diagnostics: [], outdated: false };
    return { cell: CELL, execution: 1, text: this.text ?? '', ...common };
  }

  get #state(): State {
    return this.text === null
      ? state(this.#revision)
      : state(this.#revision, { traces: [this.#trace], sources: [this.#source] });
  }

  get #trace() {
    return trace(`${this.session}:${this.#revision}`, { cell: CELL });
  }

  /** Tells all pages what the cell's traces are of. */
  push(): void {
    if (this.text === null || this.clients.size === 0) {
      return;
    }
    const removed = [`${this.session}:${this.#revision}`];
    const revision = ++this.#revision;
    const params = { revision, running: null, removed, payloads: [] };
    const pushed = { ...params, trace: this.#trace, source: this.#source };
    this.#say('*', { jsonrpc: '2.0', method: 'publish', params: pushed });
  }

  #say(to: string, rpc: object): void {
    const content = { sender: 'kernel', to, session: this.session, rpc };
    const data = { method: 'custom', content: JSON.parse(JSON.stringify(content)) as object };
    this.process.tell('comm_msg', { comm_id: this.session, data });
  }
}

interface Edit {
  span?: { start: number; end: number };
  text: string;
}

/** One process of a kernel; its number is its age among all. */
export class Process {
  backend: FakeBackend | null = null;
  /** Whether a cell runs, beside which only the control channel is heard. */
  busy = false;

  constructor(
    readonly world: World,
    readonly kernel: string,
    readonly number: number
  ) {}

  get isAlive(): boolean {
    return this.world.process === this;
  }

  /** Sends a message to all pages that are connected to this process's kernel. */
  tell(msg_type: string, content: Record<string, unknown>): void {
    const header = { msg_type, session: `process-${this.number}` };
    for (const page of this.world.pages) {
      page.hear({ is: 'message', message: { channel: 'iopub', header, content }, process: this });
    }
  }

  start(): FakeBackend {
    if (!this.backend) {
      this.backend = new FakeBackend(this);
      this.world.backends.push(this.backend);
      this.tell('comm_open', { comm_id: this.backend.session });
    }
    return this.backend;
  }

  run(text: string): void {
    this.tell('status', { execution_state: 'busy' });
    this.backend?.run(text);
    this.tell('status', { execution_state: this.busy ? 'busy' : 'idle' });
  }

  /** Does the oldest thing that a page has asked for and that is heard now. */
  work(page: FakePage): boolean {
    const at = page.sent.findIndex(({ channel }) => channel === 'control' || !this.busy);
    const [sent] = at < 0 ? [] : page.sent.splice(at, 1);
    if (sent) {
      this.tell('status', { execution_state: 'busy' });
      sent.work(this);
      this.tell('status', { execution_state: this.busy ? 'busy' : 'idle' });
    }
    return sent !== undefined;
  }
}

/** A server with one session, whose kernel any page or program may restart or replace. */
export class World {
  readonly pages: FakePage[] = [];
  /** All that ever ran. */
  readonly backends: FakeBackend[] = [];
  process: Process | null;
  #count = 0;
  #kernel = 'kernel-0';

  /** @param control - Whether backends hear the control channel, as in ipykernel. */
  constructor(readonly control: boolean) {
    this.process = this.#begun();
  }

  /** Restarts the kernel, as a page or the server's API does. */
  restart(by?: FakePage): void {
    by?.restarts();
    this.process?.tell('shutdown_reply', { restart: true });
    this.#forget();
    this.process = this.#begun();
  }

  /** The kernel's process is killed; nobody learns of it yet. */
  kill(): void {
    this.process = null;
    this.#forget();
  }

  /** The server sees that the process is gone, and starts another one. */
  revive(): void {
    if (!this.process) {
      for (const page of this.pages) {
        page.hear({ is: 'restarting', process: new Process(this, this.#kernel, this.#count) });
      }
      this.process = this.#begun();
    }
  }

  /** The session gets another kernel; pages learn of it when they poll. */
  change(): void {
    this.process?.tell('shutdown_reply', { restart: false });
    this.#forget();
    this.#kernel = `kernel-${this.#count + 1}`;
    this.process = this.#begun();
  }

  get kernel(): string {
    return this.#kernel;
  }

  #begun(): Process {
    const process = new Process(this, this.#kernel, ++this.#count);
    process.tell('status', { execution_state: 'starting' });
    return process;
  }

  /** What a process has not read goes with it. */
  #forget(): void {
    for (const page of this.pages) {
      page.sent.length = 0;
    }
  }
}

type Slot<T> = Signal<object, T>;

/** A page's session context and kernel connection, as far as attnlab uses them. */
export class FakePage {
  /** What is on its way to the page. */
  readonly incoming: Incoming[] = [];
  /** What is on its way to the kernel. */
  readonly sent: Sent[] = [];
  readonly statusChanged: Slot<string> = new Signal({});
  readonly connectionStatusChanged: Slot<string> = new Signal({});
  readonly kernelChanged: Slot<object> = new Signal({});
  readonly specsManager = { specs: null };
  session: { kernel: FakeConnection };
  /** Numbers of the processes whose end this page knows, directly or not. */
  ended = 0;

  constructor(readonly world: World) {
    this.session = { kernel: new FakeConnection(this, world.kernel) };
    world.pages.push(this);
  }

  get context(): ISessionContext {
    return this as unknown as ISessionContext;
  }

  hear(next: Incoming): void {
    const { kernel } = this.session;
    if (kernel.connectionStatus === 'connected' && kernel.id === next.process.kernel) {
      this.incoming.push(next);
    }
  }

  /** Loses a message that is on its way, where it is of a kind that may be. */
  lose(n: number, kinds: ReadonlySet<string>): void {
    const lost = this.incoming.filter(
      next => next.is === 'message' && kinds.has(next.message.header.msg_type)
    );
    const one = lost[n % (lost.length || 1)];
    if (one) {
      this.incoming.splice(this.incoming.indexOf(one), 1);
    }
  }

  /** A message comes twice, the second time later. */
  repeat(n: number): void {
    const next = this.incoming[n % (this.incoming.length || 1)];
    if (next?.is === 'message') {
      this.incoming.push(next);
    }
  }

  /** A message comes after all that are on their way now. */
  delay(n: number): void {
    const next = this.incoming[n % (this.incoming.length || 1)];
    if (next?.is === 'message') {
      this.incoming.splice(this.incoming.indexOf(next), 1);
      this.incoming.push(next);
    }
  }

  /** Takes the oldest of what has come. */
  take(): void {
    const next = this.incoming.shift();
    if (!next) {
      return;
    }
    const { kernel } = this.session;
    if (next.is === 'answer') {
      next.give();
    } else if (next.is === 'restarting') {
      this.ended = Math.max(this.ended, next.process.number);
      kernel.forget();
      kernel.be('autorestarting');
      this.drop();
    } else {
      const { msg_type } = next.message.header;
      const { execution_state } = next.message.content;
      const { number } = next.process;
      this.ended = Math.max(this.ended, msg_type === 'shutdown_reply' ? number : number - 1);
      kernel.anyMessage.emit({ msg: next.message, direction: 'recv' });
      if (typeof execution_state === 'string') {
        kernel.be(execution_state);
      }
    }
  }

  /** This page restarts its kernel; JupyterLab connects again. */
  restarts(): void {
    const { kernel } = this.session;
    this.ended = Math.max(this.ended, this.world.process?.number ?? 0);
    kernel.forget();
    kernel.be('restarting');
    this.drop();
  }

  /** The socket is gone, with all that was on its way. */
  drop(): void {
    this.incoming.length = 0;
    this.sent.length = 0;
    this.session.kernel.connect('connecting');
  }

  connect(): void {
    this.session.kernel.connect('connected');
  }

  /** The page polls its session, and finds another kernel. */
  poll(): void {
    const oldValue = this.session.kernel;
    if (oldValue.id !== this.world.kernel) {
      this.drop();
      this.ended = (this.world.process?.number ?? 1) - 1;
      const newValue = new FakeConnection(this, this.world.kernel);
      this.session = { kernel: newValue };
      this.kernelChanged.emit({ name: 'kernel', oldValue, newValue });
    }
  }
}

interface ControlMessage {
  msgType: string;
  content: { comm_id: string; data: { content: Envelope } };
}

function commInfo({ backend }: Process): object {
  const comms = backend ? { widget: {}, [backend.session]: {} } : { widget: {} };
  return { content: { status: 'ok', comms } };
}

/** A page's connection to a kernel. */
class FakeConnection {
  readonly clientId = 'connection';
  readonly username = '';
  readonly name = 'python3';
  readonly anyMessage: Slot<object> = new Signal({});
  status = 'idle';
  connectionStatus = 'connected';
  #open = new Set<(why: Error) => void>();

  constructor(
    readonly page: FakePage,
    readonly id: string
  ) {}

  be(status: string): void {
    if (status !== this.status) {
      this.status = status;
      this.page.statusChanged.emit(status);
    }
  }

  connect(status: string): void {
    if (status !== this.connectionStatus) {
      this.connectionStatus = status;
      this.page.connectionStatusChanged.emit(status);
    }
  }

  /** Requests of a page are canceled by its own restart. */
  forget(): void {
    const open = [...this.#open];
    this.#open.clear();
    open.forEach(cancel => cancel(new Error('Canceled')));
  }

  requestExecute(): { done: Promise<unknown> } {
    const done = this.#ask(process => {
      const json = { session: process.start().session, missing: [] };
      const attnlab = { status: 'ok', data: { 'application/json': json } };
      return { content: { status: 'ok', user_expressions: { attnlab } } };
    });
    return { done };
  }

  requestCommInfo(): Promise<unknown> {
    return this.#ask(commInfo);
  }

  sendShellMessage({ content }: { content: { comm_id: string; data: { content: Envelope } } }) {
    this.#send('shell', process => {
      if (process.backend?.session === content.comm_id) {
        process.backend.receive(content.data.content);
      }
    });
  }

  sendControlMessage({ msgType, content }: ControlMessage): {
    done: Promise<unknown>;
    dispose(): void;
  } {
    if (msgType === 'comm_info_request') {
      return { done: this.#ask(commInfo, 'control'), dispose: () => undefined };
    }
    this.#send('control', process => {
      if (process.world.control && process.backend?.session === content.comm_id) {
        process.backend.receive(content.data.content);
      }
    });
    return { done: new Promise(() => undefined), dispose: () => undefined };
  }

  #send(channel: Sent['channel'], work: Sent['work']): void {
    if (this.connectionStatus === 'connected' && this.id === this.page.world.kernel) {
      this.page.sent.push({ channel, work });
    }
  }

  #ask(work: (process: Process) => unknown, channel: Sent['channel'] = 'shell'): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open.add(reject);
      this.#send(channel, process => {
        if (channel === 'control' && !process.world.control) {
          return;
        }
        const answer = work(process);
        const give = () => {
          this.#open.delete(reject);
          resolve(answer);
        };
        this.page.hear({ is: 'answer', give, process });
      });
    });
  }
}
