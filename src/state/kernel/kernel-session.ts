import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { Problem, State, TraceSummary } from '../../protocol/messages';
import { RETRY_DELAY, UNWATCH_DELAY } from '../timing';
import { whenTrue } from '../when-true';
import type { CellDocument } from './cell-document';
import { CellDocuments } from './cell-documents';
import { KernelContent, type Push } from './kernel-content';
import { MonitoredBackend } from './monitored-backend';
import type { PayloadCache } from './payload-cache';
import { PushSequence } from './push-sequence';
import { rejoin, requestState, type StateRequest } from './request-state';
import { SelectionLink } from './selection-link';
import type { SequenceCache } from './sequence-cache';
import type { ConnectionState, Status } from './status';
import { NOTEBOOK_CLOSED, type UserMessage } from './user-messages';

/**
 * The state of one kernel, shared by all panels of a notebook; a `TraceFollower` selects what
 * each panel shows.
 *
 * While no view is visible, the session is not a client of the kernel, which then computes and
 * sends nothing for it; the last known state stays.
 */
export class KernelSession {
  readonly payloads: PayloadCache;
  readonly sequences: SequenceCache;
  readonly traces: ReadonlySignal<readonly TraceSummary[]>;
  readonly problems: ReadonlySignal<readonly Problem[]>;
  /** The watched cell that is running. */
  readonly running: ReadonlySignal<string | null>;
  /** The watched cell that ran last. */
  readonly last: ReadonlySignal<string | null>;
  readonly phase: ReadonlySignal<ConnectionState>;
  /** A status set by the host, or the reason why the kernel was lost. */
  readonly hostStatus: ReadonlySignal<Status | null>;
  /** The backend for requests; null without a kernel, and while no view is visible. */
  readonly backend: ReadonlySignal<MonitoredBackend | null>;
  /** Synchronizes the panels' selections with Python. */
  readonly selections: SelectionLink;
  /** The tagged cells, and the texts of the traces. */
  readonly documents: CellDocuments;
  /** Whether any view is visible. */
  readonly watched: ReadonlySignal<boolean>;

  private readonly content = new KernelContent();
  private readonly held = {
    phase: signal<ConnectionState>('detached'),
    hostStatus: signal<Status | null>(null),
    backend: signal<MonitoredBackend | null>(null),
    watched: signal(false)
  };
  private readonly pushes: PushSequence;
  /** The attached kernel, whether or not a view is visible. */
  private kernel: { backend: MonitoredBackend; unlisten: () => void } | null = null;
  /** Whether the caches still have data of the kernel before this one. */
  private fresh = true;
  private attachment: AbortController | null = null;
  private watchers = 0;
  private pausing: ReturnType<typeof setTimeout> | undefined;

  /** @param document - The document class, if the host gives access to cells. */
  constructor(document?: typeof CellDocument) {
    this.pushes = new PushSequence({
      apply: push => batch(() => this.apply(push)),
      addData: push => batch(() => this.content.addData(push)),
      resync: missed => this.resync(missed)
    });
    const { payloads, sequences, traces, problems, running, last } = this.content;
    const { phase, hostStatus, backend, watched } = this.held;
    this.payloads = payloads;
    this.sequences = sequences;
    this.watched = watched;
    this.traces = traces;
    this.problems = problems;
    this.running = running;
    this.last = last;
    this.phase = phase;
    this.hostStatus = hostStatus;
    this.backend = backend;
    this.selections = new SelectionLink(backend);
    // Documents need the kernel's state to compare their texts with it.
    const known = computed(() => (phase.value === 'attached' ? backend.value : null));
    const resync = () => this.resync();
    const around = { backend: known, hostStatus, running, traces, watched, resync };
    this.documents = new CellDocuments(around, document);
  }

  /** Keeps the state up to date until the returned function is called. */
  watch(): () => void {
    this.watchers++;
    clearTimeout(this.pausing);
    if (!this.held.watched.peek()) {
      batch(() => {
        this.held.watched.value = true;
        this.join(rejoin);
      });
    }
    let watches = true;
    return () => {
      if (watches && --this.watchers === 0) {
        this.pausing = setTimeout(() => this.pause(), UNWATCH_DELAY);
      }
      watches = false;
    };
  }

  /** Resolves when a view is visible, or when the signal aborts. */
  async whenWatched(until: AbortSignal): Promise<void> {
    await whenTrue(this.watched, until);
  }

  /** Resolves when the kernel's state is known, or after a timeout in milliseconds. */
  async whenAttached(milliseconds: number): Promise<void> {
    const late = AbortSignal.timeout(milliseconds);
    await whenTrue(
      computed(() => this.phase.value === 'attached'),
      late
    );
  }

  /**
   * Attaches to a kernel.
   *
   * @param state - The state from `initialize`; requested from the kernel if absent.
   */
  attach(backend: Backend, state?: State): void {
    this.release();
    const monitored = new MonitoredBackend(backend);
    this.kernel = { backend: monitored, unlisten: monitored.onGone(why => this.detach(why)) };
    this.fresh = true;
    batch(() => {
      this.held.phase.value = 'starting';
      this.join(requestState, state);
      if (!this.held.watched.peek()) {
        this.sendLeave(monitored);
      }
    });
  }

  /** Becomes a client of the kernel, if there is one and a view is visible. */
  private join(ask: StateRequest, state?: State): void {
    if (!this.kernel || !this.held.watched.peek()) {
      return;
    }
    const { backend } = this.kernel;
    const attachment = (this.attachment = new AbortController());
    const { signal } = attachment;
    const unlisten = backend.onPublish((params, buffers) =>
      this.pushes.receive({ params, buffers })
    );
    signal.addEventListener('abort', unlisten, { once: true });
    this.held.backend.value = backend;
    this.pushes.begin();
    if (state) {
      this.load(backend, state);
    } else {
      void this.fetchState(backend, signal, ask);
    }
  }

  /** Stops being a client of the kernel; the state is kept but no longer up to date. */
  pause(): void {
    clearTimeout(this.pausing);
    batch(() => {
      this.held.watched.value = false;
      const { kernel } = this;
      if (kernel && this.attachment) {
        this.disconnect();
        this.documents.load([]);
        this.held.phase.value = 'starting';
        this.sendLeave(kernel.backend);
      }
    });
  }

  /** Cancels all requests and ignores messages from the kernel. */
  private disconnect(): void {
    this.attachment?.abort();
    this.attachment = null;
    this.pushes.end();
    this.held.backend.value = null;
    this.content.detach();
  }

  private sendLeave(backend: MonitoredBackend): void {
    // If this message is lost, the kernel only computes for a client that ignores the results.
    backend.request('leave', null).catch(() => undefined);
  }

  /** Requests the whole state, because a push was lost. */
  resync(missed: Push[] = []): void {
    const backend = this.held.backend.peek();
    if (backend && this.attachment && this.pushes.collect(missed)) {
      void this.fetchState(backend, this.attachment.signal, requestState);
    }
  }

  /** Detaches from the kernel; what it sent stays visible, marked with the reason. */
  detach(message: string, more: Omit<UserMessage, 'message'> = {}): void {
    this.release();
    batch(() => {
      this.held.phase.value = 'detached';
      // The loss of the kernel is more important than problems in its cells.
      this.content.problems.value = [];
      this.held.hostStatus.value = { kind: 'dead', message, ...more };
    });
  }

  /** Sets the status while no kernel is attached, e.g. that a package is missing. */
  setStatus(hostStatus: Status | null): void {
    this.held.hostStatus.value = hostStatus;
  }

  /** Leaves the kernel and releases everything. */
  dispose(): void {
    clearTimeout(this.pausing);
    this.documents.dispose();
    const { kernel, attachment } = this;
    if (kernel && attachment) {
      this.sendLeave(kernel.backend);
    }
    this.detach(NOTEBOOK_CLOSED);
    this.selections.dispose();
  }

  private release(): void {
    this.disconnect();
    this.kernel?.unlisten();
    this.kernel = null;
  }

  private async fetchState(
    backend: MonitoredBackend,
    signal: AbortSignal,
    ask: StateRequest
  ): Promise<void> {
    try {
      const state = await ask(backend, signal);
      if (!signal.aborted) {
        batch(() => this.load(backend, state));
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      // `onGone` reports a kernel that is lost for good; any other may still answer.
      const message = error instanceof Error ? error.message : String(error);
      this.held.hostStatus.value = { kind: 'waiting', message };
      const again = setTimeout(() => void this.fetchState(backend, signal, ask), RETRY_DELAY);
      signal.addEventListener('abort', () => clearTimeout(again));
    }
  }

  /** Applies the whole state, then the pushes that arrived while it was requested. */
  private load(backend: MonitoredBackend, state: State): void {
    const { phase, hostStatus } = this.held;
    if (phase.peek() !== 'attached') {
      this.content.attach(backend, this.fresh);
      this.fresh = false;
    }
    phase.value = 'attached';
    // The reason for the loss of a kernel is shown until the cell runs again.
    const left = hostStatus.peek();
    hostStatus.value =
      left?.kind === 'dead' && state.traces.length === 0 ? { ...left, kind: 'none' } : null;
    this.content.load(state);
    this.documents.load(state.sources);
    this.pushes.continueFrom(state.revision);
  }

  private apply(push: Push): void {
    const { trace, problem, source } = push.params;
    this.content.apply(push);
    if (trace ?? problem ?? source) {
      this.held.hostStatus.value = null;
    }
    if (source) {
      this.documents.take(source);
    }
  }
}
