import { computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Source } from '../protocol/messages';
import type { Document } from './document';
import type { Patience } from './patience';

/** The tagged cells of one notebook, and the texts that the views show of its cells. */
export class Documents {
  /** By cell: what its newest traces are of. */
  readonly sources: ReadonlySignal<ReadonlyMap<string, Source>>;
  /** By cell. */
  readonly open: ReadonlySignal<ReadonlyMap<string, Document>>;
  /** Most tokens that are passed through a model while typing. */
  readonly limit = signal(1024);
  /** Milliseconds after the last keystroke until an edit is followed. */
  readonly delay = signal(0);

  private readonly held = {
    sources: signal<ReadonlyMap<string, Source>>(new Map()),
    open: signal<ReadonlyMap<string, Document>>(new Map())
  };
  private readonly running: ReadonlySignal<boolean>;

  /**
   * @param made - The class of documents; the inline view, which no host tells of cells, has
   *   none, and does not carry it.
   */
  constructor(
    private readonly backend: ReadonlySignal<Patience | null>,
    running: ReadonlySignal<string | null>,
    private readonly resync: () => void,
    private readonly made?: typeof Document
  ) {
    this.sources = this.held.sources;
    this.open = this.held.open;
    this.running = computed(() => running.value !== null);
  }

  /** The document of a cell, if it is tagged. */
  document(cell: string): Document | undefined {
    return this.held.open.value.get(cell);
  }

  /** A cell is tagged; it has this text, whose edits are followed where `live` says so. */
  follow(cell: string, text: string, live: boolean): Document {
    const known = this.held.open.peek().get(cell);
    if (known) {
      return known;
    }
    if (!this.made) {
      throw new Error('A session that follows cells is made with the class of documents.');
    }
    const { backend, running, limit, delay, resync } = this;
    const source = computed(() => this.held.sources.value.get(cell) ?? null);
    const document = new this.made(cell, text, live, {
      backend,
      running,
      source,
      limit,
      delay,
      resync
    });
    this.held.open.value = new Map([...this.held.open.peek(), [cell, document]]);
    return document;
  }

  /** A cell has lost its tag, or is gone. */
  leave(cell: string): void {
    const others = new Map(this.held.open.peek());
    others.get(cell)?.dispose();
    others.delete(cell);
    this.held.open.value = others;
  }

  /** Takes what the kernel holds, in place of what was known. */
  load(sources: readonly Source[]): void {
    this.held.sources.value = new Map(sources.map(source => [source.cell, source]));
  }

  /** The newest traces of a cell are of this text from now on. */
  take(source: Source): void {
    this.held.sources.value = new Map([...this.held.sources.peek(), [source.cell, source]]);
  }

  dispose(): void {
    [...this.held.open.peek().keys()].forEach(cell => this.leave(cell));
  }
}
