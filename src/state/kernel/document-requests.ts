import { batch, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Diagnostic } from '../../protocol/messages';
import { RpcError } from '../../protocol/rpc-error';
import { EDIT_INTERVAL, RETRY_DELAY } from '../timing';
import type { DocumentContext } from './document-context';
import type { Answer } from './document-diagnostics';
import type { MonitoredBackend } from './monitored-backend';
import { RemoteDocument, type Version } from './remote-document';

/** The document whose text the requests send. */
export interface RequestedDocument {
  /** Whether edits are sent to the kernel. */
  readonly live: ReadonlySignal<boolean>;
  /** Whether the views show the current text. */
  readonly current: ReadonlySignal<boolean>;
  /** The current text. */
  readonly now: Version;
  /** Whether the views have yet to show an edit that was made while one was open. */
  readonly hasEdit: boolean;
}

/** Sends the text of a document to the kernel: at most one request at a time, for the newest text. */
export class DocumentRequests {
  /** The newest answer of this kernel. */
  readonly answer: ReadonlySignal<Answer | null>;
  /** Whether the current text is requested, or about to be. */
  readonly busy: ReadonlySignal<boolean>;

  private readonly held = { answer: signal<Answer | null>(null), busy: signal(false) };
  private readonly remote: RemoteDocument;
  private asking: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    cell: string,
    private readonly around: DocumentContext,
    private readonly document: RequestedDocument
  ) {
    this.remote = new RemoteDocument(cell);
    this.answer = this.held.answer;
    this.busy = this.held.busy;
  }

  /** Opens the document in another kernel; null if there is none. */
  attach(backend: MonitoredBackend | null): void {
    this.stop();
    this.remote.reset();
    this.held.answer.value = null;
    if (backend) {
      void this.open(backend);
    }
  }

  /** Requests that the views show the current text, as soon as a message may be sent. */
  follow(): void {
    this.stop();
    const { live, current } = this.document;
    if (!live.peek() || current.peek() || !this.around.source.peek()) {
      return;
    }
    this.held.busy.value = true;
    const { delay } = this.around;
    const wait = Math.max(delay.peek(), this.remote.sentAt + EDIT_INTERVAL - performance.now());
    if (wait > 0) {
      this.timer = setTimeout(() => void this.ask(), wait);
    } else {
      void this.ask();
    }
  }

  /** Requests the current text unless a request is pending. */
  followIfIdle(): void {
    if (!this.asking && !this.held.busy.peek()) {
      this.follow();
    }
  }

  /** Sends an edit that was not sent while the kernel was busy. */
  catchUp(): void {
    if (this.document.hasEdit) {
      this.followIfIdle();
    }
  }

  /** Called when the views show the current text. */
  arrive(): void {
    // A pending request is about to be answered; canceling it would cost another message.
    clearTimeout(this.timer);
    this.held.busy.value = false;
  }

  /** Cancels the pending request. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.asking?.abort();
    this.asking = null;
    this.held.busy.value = false;
  }

  /** Closes the document in the kernel. */
  close(): void {
    const backend = this.around.backend.peek();
    if (backend) {
      this.remote.close(backend);
    }
  }

  /** Sends edits that were not sent yet, if a view shows the cell. */
  private resume(): void {
    if (this.document.hasEdit || this.around.shown.peek()) {
      this.follow();
    }
  }

  /** Opens the document in a kernel that does not know it. */
  private async open(backend: MonitoredBackend): Promise<void> {
    const asking = (this.asking = new AbortController());
    const { now } = this.document;
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
    const { now } = this.document;
    const options = { limit: this.around.limit.peek(), earlier: !this.document.hasEdit };
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
      if (answer.live && !this.document.current.peek()) {
        this.around.resync();
      }
    } catch (error) {
      if (this.asking !== asking) {
        return;
      }
      this.asking = null;
      if (this.document.current.peek()) {
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
}
