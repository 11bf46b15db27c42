import { computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Source, TraceSummary } from '../../protocol/messages';
import type { CellDocument } from './cell-document';
import type { MonitoredBackend } from './monitored-backend';
import type { Status } from './status';
import { isUnfinished } from './unfinished-run';

/** The documents of the tagged cells of one notebook, and the cell texts that the views show. */
export class CellDocuments {
  /** By cell: the text of its newest traces. */
  readonly sources: ReadonlySignal<ReadonlyMap<string, Source>>;
  /** By cell. */
  readonly open: ReadonlySignal<ReadonlyMap<string, CellDocument>>;
  /** Maximum number of tokens that are passed through a model while typing. */
  readonly limit = signal(1024);
  /** Milliseconds from the last keystroke until an edit is sent. */
  readonly delay = signal(0);

  private readonly held = {
    sources: signal<ReadonlyMap<string, Source>>(new Map()),
    open: signal<ReadonlyMap<string, CellDocument>>(new Map())
  };
  private readonly running: ReadonlySignal<boolean>;
  /** By panel: the cell that it shows. */
  private readonly shown = signal<ReadonlyMap<string, string>>(new Map());

  /**
   * @param around - Signals of the session; `backend` is null until the kernel's state is known.
   * @param made - The document class. The inline view cannot see cells; it passes none, which
   *   keeps the class out of its bundle.
   */
  constructor(
    private readonly around: {
      backend: ReadonlySignal<MonitoredBackend | null>;
      hostStatus: ReadonlySignal<Status | null>;
      running: ReadonlySignal<string | null>;
      traces: ReadonlySignal<readonly TraceSummary[]>;
      watched: ReadonlySignal<boolean>;
      resync: () => void;
    },
    private readonly made?: typeof CellDocument
  ) {
    const { running } = around;
    this.sources = this.held.sources;
    this.open = this.held.open;
    this.running = computed(() => running.value !== null);
  }

  /** Returns the document of a cell if it is tagged. */
  document(cell: string): CellDocument | undefined {
    return this.held.open.value.get(cell);
  }

  /** Opens the document of a tagged cell; `live` sets whether its edits are sent to the kernel. */
  follow(cell: string, text: string, live: boolean): CellDocument {
    const known = this.held.open.peek().get(cell);
    if (known) {
      return known;
    }
    if (!this.made) {
      throw new Error('This session was created without a document class.');
    }
    const { running, limit, delay } = this;
    const source = computed(() => this.held.sources.value.get(cell) ?? null);
    const unfinished = computed(() => {
      const newest = this.around.traces.value.findLast(
        trace => trace.cell === cell && !trace.trial
      );
      const known = newest && isUnfinished(newest, this.around.running.value, source.value);
      return known ? newest : null;
    });
    const shown = computed(() => [...this.shown.value.values()].includes(cell));
    const around = { ...this.around, running, unfinished, source, shown, limit, delay };
    const document = new this.made(cell, text, live, around);
    this.held.open.value = new Map([...this.held.open.peek(), [cell, document]]);
    return document;
  }

  /** Sets the cell that a panel shows; null for none. */
  show(panel: string, cell: string | null): void {
    const others = [...this.shown.peek()].filter(([id]) => id !== panel);
    this.shown.value = new Map(cell === null ? others : [...others, [panel, cell]]);
  }

  /** Closes the document of a cell that was untagged or removed. */
  leave(cell: string): void {
    const others = new Map(this.held.open.peek());
    others.get(cell)?.dispose();
    others.delete(cell);
    this.held.open.value = others;
  }

  /** Replaces all sources by those of the kernel. */
  load(sources: readonly Source[]): void {
    this.held.sources.value = new Map(sources.map(source => [source.cell, source]));
  }

  /** Sets the source of one cell. */
  take(source: Source): void {
    this.held.sources.value = new Map([...this.held.sources.peek(), [source.cell, source]]);
  }

  dispose(): void {
    [...this.held.open.peek().keys()].forEach(cell => this.leave(cell));
  }
}
