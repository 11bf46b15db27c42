import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, Session as JupyterSession } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IChangedArgs } from '@jupyterlab/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { bridge, type Hub } from '../protocol/bridge';
import { Connection } from '../protocol/connection';
import { greet, INSTALL } from '../protocol/greeting';
import type { Session } from '../state/session';
import { forgetConnection, forgetKernel, hubOf } from './hub-watch';
import { KernelTransport } from './kernel-transport';
import { startBackend } from './start-backend';

/** What is open between one hub and one notebook. */
interface Link {
  hub: Hub;
  connection: Connection;
}

/**
 * Ties a notebook's panels to the backend in the notebook's kernel.
 *
 * It attaches whenever a hub shows up, and lets go when the kernel restarts, changes or
 * dies. It starts a backend only when `start` is called.
 */
export class KernelLink implements IDisposable {
  readonly #context: ISessionContext;
  readonly #session: Session;
  readonly #trans: TranslationBundle;
  readonly #wants: () => boolean;
  #link: Link | undefined;
  /** What this has said to the panels and may take back. */
  #said: 'starting' | 'waiting' | undefined;
  /** A connection that has closed no longer tells its id. */
  #clientId: string | undefined;
  #isDisposed = false;

  /** @param wants - Whether the notebook has watched cells. */
  constructor(
    context: ISessionContext,
    session: Session,
    trans: TranslationBundle,
    wants: () => boolean
  ) {
    this.#context = context;
    this.#session = session;
    this.#trans = trans;
    this.#wants = wants;
    bridge().listeners.add(this.#onHub);
    context.kernelChanged.connect(this.#onKernelChanged, this);
    context.statusChanged.connect(this.#onStatus, this);
    this.#clientId = this.#kernel?.clientId;
    this.#attach();
    this.#sayWhetherWaiting();
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    bridge().listeners.delete(this.#onHub);
    Signal.clearData(this);
    this.#letGo(this.#trans.__('The notebook is closed.'));
    if (this.#clientId !== undefined) {
      forgetConnection(this.#clientId);
    }
  }

  /** Starts the backend unless it is known to run. The request goes out before this returns. */
  async start(): Promise<void> {
    const kernel = this.#kernel;
    if (!kernel || this.#link) {
      return;
    }
    const language = this.#context.specsManager.specs?.kernelspecs[kernel.name]?.language;
    if (language !== undefined && language.toLowerCase() !== 'python') {
      const message = this.#trans.__('attnlab reads Python kernels; this one runs %1.', language);
      this.#session.detach(message);
      return;
    }
    const starting = startBackend(kernel);
    this.#say('starting');
    const start = await starting;
    if (this.#isDisposed || kernel !== this.#kernel) {
      return;
    }
    switch (start.outcome) {
      case 'started':
        this.#attach();
        break;
      case 'dropped':
        this.#unsay();
        break;
      case 'missing':
        this.#refuse(this.#missing(start.packages), INSTALL);
        break;
      case 'failed':
        this.#refuse(this.#trans.__('attnlab does not start in the kernel: %1', start.cause));
    }
  }

  get #kernel(): Kernel.IKernelConnection | undefined {
    return this.#context.session?.kernel ?? undefined;
  }

  readonly #onHub = (hub: Hub): void => {
    if (hub.kernel === this.#kernel?.id) {
      this.#attach();
    }
  };

  #onKernelChanged(
    _: ISessionContext,
    { oldValue, newValue }: IChangedArgs<JupyterSession.ISessionConnection['kernel'] | null>
  ): void {
    if (this.#clientId !== undefined) {
      forgetConnection(this.#clientId);
    }
    this.#clientId = newValue?.clientId;
    if (oldValue && this.#known) {
      this.#letGo(
        newValue
          ? this.#trans.__('The notebook has another kernel; run the cell again.')
          : this.#trans.__('The kernel is shut down; run the cell again in a new one.')
      );
    }
    this.#attach();
  }

  #onStatus(_: ISessionContext, status: Kernel.Status): void {
    const kernel = this.#kernel;
    switch (status) {
      case 'restarting':
      case 'autorestarting':
      case 'starting':
        if (kernel) {
          forgetKernel(kernel.id);
        }
        // Where a hub has been, `starting` tells of a restart that another page asked for.
        if (status === 'starting' ? this.#link : this.#known) {
          this.#letGo(this.#trans.__('Kernel restarted, run the cell again.'));
        }
        break;
      case 'dead':
      case 'terminating':
        if (this.#known) {
          this.#letGo(this.#trans.__('The kernel has died; run the cell again in a new one.'));
        }
        break;
      default:
        this.#sayWhetherWaiting();
    }
  }

  /** Whether there is, or was, something in the kernel that a person should know is gone. */
  get #known(): boolean {
    return this.#link !== undefined || this.#said === 'starting';
  }

  #attach(): void {
    const kernel = this.#kernel;
    const hub = kernel && hubOf(kernel);
    if (!kernel || !hub || hub === this.#link?.hub) {
      return;
    }
    this.#drop(this.#trans.__('Another connection takes over.'));
    const transport = new KernelTransport(hub.model, kernel);
    const connection = new Connection(transport, {
      session: String(hub.model.get('session')),
      expectsSilence: () =>
        kernel.status === 'busy' && !kernel.supportsSubshells && !transport.control
    });
    const link: Link = { hub, connection };
    this.#link = link;
    hub.signal.addEventListener('abort', () => {
      if (this.#link === link) {
        this.#letGo(this.#trans.__('The backend in the kernel is closed; run the cell again.'));
      }
    });
    void transport.choose().then(() => this.#initialize(link, transport));
  }

  async #initialize(link: Link, transport: KernelTransport): Promise<void> {
    if (this.#link !== link) {
      return;
    }
    const greeting = await greet(link.connection);
    if (this.#link !== link) {
      return;
    }
    switch (greeting.outcome) {
      case 'met':
        transport.control = greeting.capabilities.includes('busy/control');
        this.#session.attach(link.connection, greeting.state);
        this.#unsay();
        break;
      case 'unanswered':
        this.#say('waiting');
        // The other channel may be the one that is heard.
        transport.control = false;
        void this.#initialize(link, transport);
        break;
      case 'lacks':
        this.#refuse(this.#missing(greeting.packages), INSTALL);
        break;
      case 'refused':
        this.#refuse(greeting.message, greeting.remedy);
    }
  }

  #missing(packages: readonly string[]): string {
    return this.#trans.__("The kernel's environment lacks %1.", packages.join(', '));
  }

  /** There will be no connection until a cell is run again. */
  #refuse(message: string, remedy?: string): void {
    this.#said = undefined;
    this.#drop(message);
    this.#session.detach(message, remedy);
  }

  #letGo(message: string): void {
    this.#said = undefined;
    this.#drop(message);
    this.#session.detach(message);
  }

  #drop(why: string): void {
    const link = this.#link;
    this.#link = undefined;
    link?.connection.close(why);
  }

  #say(kind: 'starting' | 'waiting'): void {
    this.#said = kind;
    const message =
      kind === 'starting'
        ? this.#trans.__('Starting attnlab in the kernel.')
        : this.#trans.__('The kernel is busy; waiting for it.');
    this.#session.say({ kind, message });
  }

  #unsay(): void {
    if (this.#said !== undefined) {
      this.#said = undefined;
      this.#session.say(null);
    }
  }

  /** Opening a notebook only reattaches, which a busy kernel puts off. */
  #sayWhetherWaiting(): void {
    const status = this.#kernel?.status;
    if (this.#link || this.#said === 'starting' || status === undefined) {
      return;
    }
    if (status === 'idle') {
      this.#unsay();
    } else if (this.#said === undefined && this.#wants() && this.#nothingYet) {
      this.#say('waiting');
    }
  }

  /** Keeps "kernel restarted" and the like on screen. */
  get #nothingYet(): boolean {
    const { word, traces } = this.#session;
    return (word.peek()?.kind ?? 'none') === 'none' && traces.peek().length === 0;
  }
}
