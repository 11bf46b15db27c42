import {
  batch,
  computed,
  effect,
  signal,
  untracked,
  type ReadonlySignal
} from '@preact/signals-core';
import type { Diagnostic, Source, TraceSummary } from '../../protocol/messages';
import type { DocumentContext } from './document-context';
import { diagnosticsOf, refusalIn } from './document-diagnostics';
import { documentPhase, type DocumentPhase } from './document-phase';
import { DocumentRequests } from './document-requests';
import type { Version } from './remote-document';
import type { UserMessage } from './user-messages';

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
  /** The newest trace of a run of the cell that has not ended; its text is not known yet. */
  readonly unfinished: ReadonlySignal<TraceSummary | null>;
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
    milliseconds: signal<number | null>(null)
  };
  private readonly requests: DocumentRequests;
  private version = 0;
  private edited: number | null = null;
  private readonly disposers: (() => void)[];

  constructor(
    readonly cell: string,
    text: string,
    live: boolean,
    private readonly around: DocumentContext
  ) {
    const { held } = this;
    held.text.value = text;
    held.live.value = live;
    this.text = held.text;
    this.live = held.live;
    this.source = around.source;
    this.unfinished = around.unfinished;
    this.milliseconds = held.milliseconds;
    this.current = computed(() => around.source.value?.text === held.text.value);
    const requests = (this.requests = new DocumentRequests(cell, around, this));
    this.diagnostics = computed(() =>
      diagnosticsOf(held.text.value, around.source.value, requests.answer.value)
    );
    this.refused = computed(() => refusalIn(this.diagnostics.value));
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
        unfinished: around.unfinished.value !== null,
        busy: requests.busy.value
      });
    });
    this.disposers = [
      effect(() => {
        const backend = around.backend.value;
        untracked(() => requests.attach(backend));
      }),
      effect(() => {
        if (this.current.value) {
          untracked(() => this.arrive());
        }
      }),
      effect(() => {
        // Edits made while a cell was running are sent when it has finished.
        if (!around.running.value) {
          untracked(() => requests.catchUp());
        }
      }),
      effect(() => {
        // Edits made while no view showed the cell.
        if (around.shown.value) {
          untracked(() => requests.followIfIdle());
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
      this.requests.follow();
    });
  }

  /** Sets whether edits are sent to the kernel. */
  setLive(live: boolean): void {
    batch(() => {
      this.held.live.value = live;
      this.requests.follow();
    });
  }

  /** Called when the views show the current text. */
  private arrive(): void {
    this.requests.arrive();
    if (this.edited !== null) {
      this.held.milliseconds.value = performance.now() - this.edited;
      this.edited = null;
    }
  }

  /** The current text and its number. */
  get now(): Version {
    return { version: this.version, text: this.held.text.peek() };
  }

  /** Whether the views have yet to show an edit that was made while one was open. */
  get hasEdit(): boolean {
    return this.edited !== null;
  }

  /** Closes the document in the kernel. */
  dispose(): void {
    this.requests.stop();
    this.held.live.value = false;
    this.disposers.forEach(dispose => dispose());
    this.requests.close();
  }
}
