import { signal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { SequenceSummary, TraceItem, TraceSummary } from '../protocol/messages';

/** Items kept, the newest: a large batch of long texts is more than a page should hold. */
const MOST = 32;

/**
 * What stands along the axes of traces, by item of their batches.
 *
 * A trace brings one item's; a push brings those that panels show, and the rest is asked for.
 */
export class Texts {
  private readonly held = signal<ReadonlyMap<string, SequenceSummary[]>>(new Map());
  /** Who is asked; null while there is no kernel. */
  readonly backend = signal<Backend | null>(null);

  /** The sequences of an item; null where they have not come. */
  of(trace: TraceSummary, item: number): SequenceSummary[] | null {
    return item === trace.item
      ? trace.sequences
      : (this.held.value.get(idOf(trace.id, item)) ?? null);
  }

  /** Takes what a push or a reply has brought. */
  put({ trace, item, sequences }: TraceItem): void {
    const held = new Map(this.held.peek());
    held.delete(idOf(trace, item));
    const beyond = Math.max(0, held.size + 1 - MOST);
    const kept = new Map([...held].slice(beyond));
    this.held.value = kept.set(idOf(trace, item), sequences);
  }

  /** Asks for an item that has not come; rejects where the kernel does not give it. */
  async ask(trace: string, item: number, signal: AbortSignal): Promise<void> {
    const reply = await this.backend.peek()?.request('trace/item', { trace, item }, signal);
    if (reply && !signal.aborted) {
      this.put(reply.result);
    }
  }

  /** Asks this backend from now on. Another kernel may use the same ids: all is forgotten. */
  attach(backend: Backend): void {
    this.backend.value = backend;
    this.held.value = new Map();
  }

  /** Asks nobody; what is here stays to be seen. */
  detach(): void {
    this.backend.value = null;
  }

  /** Gives up traces that the kernel holds no more. */
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
