import { signal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { SequenceSummary, BatchItem, TraceSummary } from '../../protocol/messages';

/** Maximum number of batch items, to bound the memory of a large batch of long texts. */
const MOST = 32;

/**
 * The token sequences of traces, by batch item; the most recent items are kept.
 *
 * A trace includes one item, a push includes the items that panels show, and others are
 * requested.
 */
export class SequenceCache {
  private readonly held = signal<ReadonlyMap<string, SequenceSummary[]>>(new Map());
  /** The backend for requests; null without a kernel. */
  readonly backend = signal<Backend | null>(null);

  /** The sequences of an item; null if they have not arrived. */
  of(trace: TraceSummary, item: number): SequenceSummary[] | null {
    return item === trace.item
      ? trace.sequences
      : (this.held.value.get(idOf(trace.id, item)) ?? null);
  }

  /** Stores the sequences of a push or a reply. */
  put({ trace, item, sequences }: BatchItem): void {
    const held = new Map(this.held.peek());
    held.delete(idOf(trace, item));
    const beyond = Math.max(0, held.size + 1 - MOST);
    const kept = new Map([...held].slice(beyond));
    this.held.value = kept.set(idOf(trace, item), sequences);
  }

  /** Requests an item; rejects if the kernel refuses it. */
  async ask(trace: string, item: number, signal: AbortSignal): Promise<void> {
    const reply = await this.backend.peek()?.request('trace/item', { trace, item }, signal);
    if (reply && !signal.aborted) {
      this.put(reply.result);
    }
  }

  /**
   * Sets the backend for requests.
   *
   * @param fresh - Whether it belongs to another kernel, which may use the same ids; clears
   *   the cache.
   */
  attach(backend: Backend, fresh = true): void {
    this.backend.value = backend;
    if (fresh) {
      this.held.value = new Map();
    }
  }

  /** Removes the backend; cached sequences stay available. */
  detach(): void {
    this.backend.value = null;
  }

  /** Removes traces that the kernel no longer has. */
  forget(traces: readonly string[]): void {
    const kept = [...this.held.peek()].filter(([id]) => !traces.includes(traceOf(id)));
    if (kept.length < this.held.peek().size) {
      this.held.value = new Map(kept);
    }
  }
}

function idOf(trace: string, item: number): string {
  return `${item} ${trace}`;
}

function traceOf(id: string): string {
  return id.slice(id.indexOf(' ') + 1);
}
