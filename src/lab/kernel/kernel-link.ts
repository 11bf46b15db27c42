import type { ISessionContext } from '@jupyterlab/apputils';
import type { IChangedArgs } from '@jupyterlab/coreutils';
import type { Kernel, Session as JupyterSession } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { INSTALL } from '../../protocol/greeting';
import * as messages from '../../state/kernel/user-messages';
import { formatMessage, type UserMessage } from '../../state/kernel/user-messages';
import type { KernelSession } from '../../state/kernel/kernel-session';
import { BackendAbsence } from './backend-absence';
import { BackendLink } from './backend-link';
import { findBackend, watchProcess, type ProcessEvent } from './process-events';
import { startBackend } from './start-backend';

/**
 * Connects the panels of a notebook to the backend in its kernel.
 *
 * The panels are attached only to a backend that has answered, until the first sign that its
 * process may have ended; it does not matter who restarted the kernel. Then the connection is
 * dropped, and the kernel is asked for its current backend. A backend that sends a message is
 * greeted. A backend is started only by `start`.
 */
export class KernelLink implements IDisposable {
  readonly #context: ISessionContext;
  readonly #session: KernelSession;
  readonly #hasTags: () => boolean;
  #kernel: Kernel.IKernelConnection | null = null;
  #unwatch: (() => void) | undefined;
  #link: BackendLink | undefined;
  /** The newest pending question to the kernel; replies to older ones are ignored. */
  #question: object | undefined;
  /** Whether the kernel restarts and is to be asked once it has. */
  #restarts = false;
  /** What the user must be told while there is no connection. */
  readonly #absence = new BackendAbsence();
  /** Backends that ended or refused the connection; late messages from them are ignored. */
  readonly #past = new Set<string>();
  #isDisposed = false;

  /** @param hasTags - Whether the notebook has tagged cells. */
  constructor(context: ISessionContext, session: KernelSession, hasTags: () => boolean) {
    this.#context = context;
    this.#session = session;
    this.#hasTags = hasTags;
    context.kernelChanged.connect(this.#onKernelChanged, this);
    context.statusChanged.connect(this.#onStatus, this);
    context.connectionStatusChanged.connect(this.#onConnection, this);
    this.#follow();
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    this.#unwatch?.();
    Signal.clearData(this);
    this.#drop(messages.NOTEBOOK_CLOSED);
  }

  /** Starts the backend unless it is running. The request is sent before this returns. */
  async start(): Promise<void> {
    const kernel = this.#kernel;
    if (!kernel || this.#link?.state === 'met') {
      return;
    }
    const language = this.#context.specsManager.specs?.kernelspecs[kernel.name]?.language;
    if (language !== undefined && language.toLowerCase() !== 'python') {
      this.#lose(messages.NOT_PYTHON, { values: [language] });
      return;
    }
    const starting = startBackend(kernel);
    this.#absence.starting = true;
    this.#updateStatus();
    const start = await starting;
    if (this.#isDisposed || kernel !== this.#kernel) {
      return;
    }
    this.#absence.starting = false;
    switch (start.outcome) {
      case 'started':
        this.#attach(start.session);
        break;
      case 'missing':
        this.#reportMissing(start.packages);
        break;
      case 'failed':
        this.#lose(messages.START_FAILED, { values: [start.cause] });
    }
    this.#updateStatus();
  }

  #onKernelChanged(
    _: ISessionContext,
    { oldValue, newValue }: IChangedArgs<JupyterSession.ISessionConnection['kernel'] | null>
  ): void {
    if (oldValue && oldValue !== newValue && this.#known) {
      this.#lose(newValue ? messages.KERNEL_CHANGED : messages.SHUT_DOWN);
    }
    this.#follow();
  }

  #onStatus(_: ISessionContext, status: Kernel.Status): void {
    switch (status) {
      case 'restarting':
      case 'autorestarting':
        this.#restart();
        break;
      case 'dead':
      case 'terminating':
        if (this.#known) {
          this.#lose(messages.DIED);
        }
        break;
      default:
        if (this.#restarts && this.#kernel?.connectionStatus === 'connected') {
          void this.#findBackend();
        }
        this.#updateStatus();
    }
  }

  #onConnection(_: ISessionContext, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      void this.#findBackend();
    } else if (this.#link) {
      this.#suspect(messages.DISCONNECTED);
    }
  }

  #onProcessEvent(event: ProcessEvent): void {
    switch (event.of) {
      case 'end':
        if (event.session !== undefined && event.session === this.#link?.session) {
          this.#end(event.restarts);
        }
        break;
      case 'change':
        if (this.#link || this.#absence.doubt !== undefined) {
          this.#suspect(messages.MAYBE_RESTARTED);
        }
        if (this.#known || this.#question) {
          void this.#findBackend();
        }
        break;
      case 'backend':
        if (!this.#past.has(event.session)) {
          this.#attach(event.session);
        }
        break;
      case 'closed':
        if (event.session === this.#link?.session) {
          this.#lose(messages.BACKEND_CLOSED);
        }
    }
  }

  /** Whether the user must be informed if the kernel is lost. */
  get #known(): boolean {
    return this.#link !== undefined || this.#absence.known;
  }

  /** Watches the notebook's kernel and looks for a backend that is already running. */
  #follow(): void {
    this.#unwatch?.();
    this.#question = undefined;
    this.#kernel = this.#context.session?.kernel ?? null;
    this.#unwatch = this.#kernel
      ? watchProcess(this.#kernel, event => this.#onProcessEvent(event))
      : undefined;
    if (this.#kernel?.connectionStatus === 'connected') {
      void this.#findBackend();
    }
  }

  /** Asks the kernel for its backend; a busy kernel answers later. */
  async #findBackend(): Promise<void> {
    const kernel = this.#kernel;
    if (!kernel) {
      return;
    }
    const question = (this.#question = {});
    this.#restarts = false;
    this.#updateStatus();
    const found = await findBackend(kernel);
    // A lost question is repeated when the kernel or its connection is back.
    if (this.#question !== question || this.#isDisposed || found === undefined) {
      return;
    }
    this.#question = undefined;
    if (found !== null) {
      this.#attach(found);
    } else if (this.#known) {
      this.#lose(messages.RESTARTED);
    }
    this.#updateStatus();
  }

  /**
   * Called when the kernel restarts over a new connection.
   *
   * It is asked when the connection is back: a request that the server still has to deliver over
   * the former socket would connect that socket, too, to the new process, where both have the same
   * identity, and the process could then ignore the new one, and with it every cell of this page.
   */
  #restart(): void {
    if (this.#known) {
      this.#question = undefined;
      this.#restarts = true;
      this.#lose(messages.RESTARTED);
    }
  }

  /** Called when the kernel process ends. */
  #end(restarts: boolean): void {
    if (this.#known) {
      this.#lose(restarts ? messages.RESTARTED : messages.SHUT_DOWN);
      // A late event may be of an older process, and the backend may still run.
      void this.#findBackend();
    }
  }

  #attach(session: string): void {
    const kernel = this.#kernel;
    if (!kernel || session === this.#link?.session) {
      return;
    }
    if (this.#link) {
      this.#past.add(this.#link.session);
    }
    this.#past.delete(session);
    this.#drop(messages.BACKEND_REPLACED);
    this.#question = undefined;
    const link = new BackendLink(kernel, session, silent => {
      if (this.#link === silent && silent.state === 'met') {
        this.#suspect(messages.NOT_RESPONDING);
        void this.#findBackend();
      }
    });
    this.#link = link;
    void this.#greet(link);
  }

  async #greet(link: BackendLink): Promise<void> {
    // Without a visible view nothing is requested.
    await this.#session.whenWatched(link.closed);
    while (this.#link === link) {
      const greeting = await link.greet();
      if (this.#link !== link) {
        return;
      }
      switch (greeting.outcome) {
        case 'met':
          this.#session.setStatus(this.#absence.end(greeting.state.traces.length > 0));
          this.#session.attach(link.connection, greeting.state);
          return;
        case 'unanswered':
          void this.#findBackend();
          break;
        case 'lacks':
          this.#reportMissing(greeting.packages);
          break;
        case 'refused':
          this.#lose(greeting.message, greeting.remedy ? { remedy: greeting.remedy } : {});
      }
    }
  }

  #reportMissing(packages: readonly string[]): void {
    const { message, ...more } = messages.missingPackages(packages);
    this.#lose(message, { ...more, remedy: INSTALL });
  }

  /** Detaches from a backend that may have ended, until the kernel answers. */
  #suspect(doubt: string): void {
    this.#absence.doubt = doubt;
    this.#detach(doubt);
  }

  /** Called when there is no backend until a cell runs again. */
  #lose(message: string, more: Omit<UserMessage, 'message'> = {}): void {
    if (this.#link) {
      this.#past.add(this.#link.session);
    }
    this.#absence.lose({ message, ...more });
    this.#detach(formatMessage({ message, ...more }));
  }

  #detach(why: string): void {
    this.#drop(why);
    this.#session.detach(why);
    this.#updateStatus();
  }

  #drop(why: string): void {
    const link = this.#link;
    this.#link = undefined;
    link?.close(why);
  }

  /** Sets the status while no backend is attached. */
  #updateStatus(): void {
    if (this.#link?.state !== 'met') {
      const silent = this.#link?.state === 'silent';
      const asked = this.#question && this.#hasTags() && this.#kernel?.status !== 'idle';
      this.#session.setStatus(this.#absence.status(silent, asked ?? false));
    }
  }
}
