import {
  batch,
  computed,
  effect,
  signal,
  untracked,
  type ReadonlySignal
} from '@preact/signals-core';
import type { Diagnostic, Source } from '../../protocol/messages';
import { RpcError } from '../../protocol/rpc-error';
import { EDIT_INTERVAL, RETRY_DELAY } from '../timing';
import { documentPhase, type DocumentPhase } from './document-phase';
import type { MonitoredBackend } from './monitored-backend';
import { RemoteDocument, type Version } from './remote-document';
import type { Status } from './status';
import type { UserMessage } from './user-messages';

/** Codes of diagnostics because of which a text cannot be shown without running the cell. */
const REFUSALS: ReadonlySet<Diagnostic['code']> = new Set([
  'syntax',
  'unrun',
  'changed',
  'unknown',
  'long',
  'model',
  'failed',
  'slow'
]);

/** The state that a document depends on. */
export interface DocumentContext {
  backend: ReadonlySignal<MonitoredBackend | null>;
  /** Whether any view is open. */
  watched: ReadonlySignal<boolean>;
  /** Whether a view shows this cell. */
  shown: ReadonlySignal<boolean>;
  /** The status while there is no backend. */
  hostStatus: ReadonlySignal<Status | null>;
  /** Whether a watched cell is running. */
  running: ReadonlySignal<boolean>;
  /** The text that the views show. */
  source: ReadonlySignal<Source | null>;
  /** Maximum number of tokens that are passed through a model while typing. */
  limit: ReadonlySignal<number>;
  /** Milliseconds to wait after the last keystroke. */
  delay: ReadonlySignal<number>;
  /** Requests the whole state of the kernel, because a push was lost. */
  resync: () => void;
}

interface Answer {
  text: string;
  diagnostics: readonly Diagnostic[];
}

/**
 * The text of one tagged cell, sent to the kernel as it is edited.
 *
 * The views are up to date when the text that they show equals this text, whether it was run,
 * typed, restored by undo, or edited in another page. Versions only order the messages.
 */
export class CellDocument {
  readonly text: ReadonlySignal<string>;
  /** Whether edits are sent to the kernel. */
  readonly live: ReadonlySignal<boolean>;
  /** The text of the cell that the views show; null if it has not run. */
  readonly source: ReadonlySignal<Source | null>;
  readonly current: ReadonlySignal<boolean>;
  readonly phase: ReadonlySignal<DocumentPhase>;
  /** Diagnostics of this text. If it cannot be shown, the first gives the reason. */
  readonly diagnostics: ReadonlySignal<readonly Diagnostic[]>;
  /** Why this text, or an edit of it, cannot be shown without running the cell. */
  readonly refused: ReadonlySignal<Diagnostic | null>;
  /** Why edits have no effect until the cell runs again. */
  readonly gone: ReadonlySignal<UserMessage | null>;
  /** Time from the last edit until the views showed it. */
  readonly milliseconds: ReadonlySignal<number | null>;

  private readonly held = {
    text: signal(''),
    live: signal(true),
    answer: signal<Answer | null>(null),
    busy: signal(false),
    milliseconds: signal<number | null>(null)
  };
  private readonly remote: RemoteDocument;
  private version = 0;
  private asking: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private edited: number | null = null;
  private readonly disposers: (() => void)[];

  constructor(
    readonly cell: string,
    text: string,
    live: boolean,
    private readonly around: DocumentContext
  ) {
    const { held } = this;
    this.remote = new RemoteDocument(cell);
    held.text.value = text;
    held.live.value = live;
    this.text = held.text;
    this.live = held.live;
    this.source = around.source;
    this.milliseconds = held.milliseconds;
    this.current = computed(() => around.source.value?.text === held.text.value);
    this.diagnostics = computed(() => {
      const [source, answer] = [around.source.value, held.answer.value];
      if (source && this.current.value) {
        return source.diagnostics;
      }
      if (answer?.text !== held.text.value) {
        return [];
      }
      // An answer from before the cell ran is outdated: the cell may have run in another page.
      return source
        ? answer.diagnostics.filter(({ code }) => code !== 'unrun')
        : answer.diagnostics;
    });
    this.refused = computed(
      () => this.diagnostics.value.find(({ code }) => REFUSALS.has(code)) ?? null
    );
    this.gone = computed(() => {
      const status = around.backend.value ? null : around.hostStatus.value;
      return status?.kind === 'dead' ? status : null;
    });
    this.phase = computed(() => {
      const backend = around.backend.value;
      return documentPhase({
        watched: around.watched.value,
        live: held.live.value,
        current: this.current.value,
        refused: this.refused.value !== null,
        missing: backend ? null : (around.hostStatus.value?.kind ?? 'none'),
        overdue: backend?.isOverdue.value ?? false,
        running: around.running.value,
        busy: held.busy.value
      });
    });
    this.disposers = [
      effect(() => {
        const backend = around.backend.value;
        untracked(() => this.attach(backend));
      }),
      effect(() => {
        if (this.current.value) {
          untracked(() => this.arrive());
        }
      }),
      effect(() => {
        // Edits made while a cell was running are sent when it has finished.
        if (!around.running.value) {
          untracked(() => this.catchUp());
        }
      }),
      effect(() => {
        // Edits made while no view showed the cell.
        if (around.shown.value && !this.asking && !held.busy.peek()) {
          untracked(() => this.follow());
        }
      })
    ];
  }

  /** Sets the text of the cell; called at every change. */
  edit(text: string): void {
    if (text === this.held.text.peek()) {
      return;
    }
    this.edited = this.around.watched.peek() ? performance.now() : null;
    this.version++;
    batch(() => {
      this.held.text.value = text;
      this.follow();
    });
  }

  /** Sets whether edits are sent to the kernel. */
  setLive(live: boolean): void {
    batch(() => {
      this.held.live.value = live;
      this.follow();
    });
  }

  /** Requests that the views show the current text, as soon as a message may be sent. */
  private follow(): void {
    this.stop();
    const { live, busy } = this.held;
    if (!live.peek() || this.current.peek() || !this.around.source.peek()) {
      return;
    }
    busy.value = true;
    const { delay } = this.around;
    const wait = Math.max(delay.peek(), this.remote.sentAt + EDIT_INTERVAL - performance.now());
    if (wait > 0) {
      this.timer = setTimeout(() => void this.ask(), wait);
    } else {
      void this.ask();
    }
  }

  /** Called when the views show the current text. */
  private arrive(): void {
    // A pending request is about to be answered; canceling it would cost another message.
    clearTimeout(this.timer);
    this.held.busy.value = false;
    if (this.edited !== null) {
      this.held.milliseconds.value = performance.now() - this.edited;
      this.edited = null;
    }
  }

  private get now(): Version {
    return { version: this.version, text: this.held.text.peek() };
  }

  /** Sends edits that were not sent yet, if a view shows the cell. */
  private resume(): void {
    if (this.edited !== null || this.around.shown.peek()) {
      this.follow();
    }
  }

  private catchUp(): void {
    if (!this.asking && !this.held.busy.peek() && this.edited !== null) {
      this.follow();
    }
  }

  /** Cancels the pending request. */
  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.asking?.abort();
    this.asking = null;
    this.held.busy.value = false;
  }

  private attach(backend: MonitoredBackend | null): void {
    this.stop();
    this.remote.reset();
    this.held.answer.value = null;
    if (backend) {
      void this.open(backend);
    }
  }

  /** Opens the document in a kernel that does not know it. */
  private async open(backend: MonitoredBackend): Promise<void> {
    const asking = (this.asking = new AbortController());
    const now = this.now;
    try {
      const { diagnostics } = await this.remote.open(backend, now, asking.signal);
      if (this.asking === asking) {
        this.asking = null;
        this.held.answer.value = { text: now.text, diagnostics };
        this.resume();
      }
    } catch {
      if (this.asking === asking) {
        this.asking = null;
        // The first change sends the whole text, which also opens the document.
        this.resume();
      }
    }
  }

  private async ask(): Promise<void> {
    const backend = this.around.backend.peek();
    if (!backend) {
      return;
    }
    const asking = (this.asking = new AbortController());
    const now = this.now;
    const options = { limit: this.around.limit.peek(), earlier: this.edited === null };
    this.held.busy.value = true;
    try {
      const answer = await this.remote.change(backend, now, options, asking.signal);
      if (this.asking !== asking) {
        return;
      }
      this.asking = null;
      batch(() => {
        this.held.answer.value = { text: now.text, diagnostics: answer.diagnostics };
        this.held.busy.value = false;
      });
      if (answer.live && !this.current.peek()) {
        this.around.resync();
      }
    } catch (error) {
      if (this.asking !== asking) {
        return;
      }
      this.asking = null;
      if (this.current.peek()) {
        return;
      }
      if (error instanceof RpcError) {
        this.fail(now.text, error.message);
      } else {
        // The kernel is busy, or a message was lost.
        this.timer = setTimeout(() => void this.ask(), RETRY_DELAY);
      }
    }
  }

  private fail(text: string, message: string): void {
    const span = { start: 0, end: 0 };
    const diagnostic: Diagnostic = { span, severity: 'error', code: 'failed', message };
    batch(() => {
      this.held.answer.value = { text, diagnostics: [diagnostic] };
      this.held.busy.value = false;
    });
  }

  /** Closes the document in the kernel. */
  dispose(): void {
    this.stop();
    this.held.live.value = false;
    this.disposers.forEach(dispose => dispose());
    const backend = this.around.backend.peek();
    if (backend) {
      this.remote.close(backend);
    }
  }
}
