import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { TraceSummary } from '../../protocol/messages';
import type { SequenceCache } from '../kernel/sequence-cache';
import type { Shown } from '../text/tokens';
import type { Selection } from '../view-state/selection';

/** A failed request for a batch item. */
export interface ItemFailure {
  trace: string;
  why: string;
}

/** The batch item that a panel shows: the selected one, as soon as its tokens arrive. */
export class ShownItem {
  /** The trace with the shown item. */
  readonly shown: ReadonlySignal<Shown | null>;
  /** Why the request for the selected item failed; null if it did not. */
  readonly failure: ReadonlySignal<ItemFailure | null>;

  private readonly failed = signal<ItemFailure | null>(null);

  constructor(
    private readonly sequences: SequenceCache,
    private readonly selection: Selection,
    private readonly trace: ReadonlySignal<TraceSummary | null>
  ) {
    this.failure = this.failed;
    let before: Shown | null = null;
    this.shown = computed(() => (before = this.show(before)));
  }

  /** Requests the tokens of the selected item until the returned function is called. */
  follow(): () => void {
    const disposers = [
      this.requestTokens(),
      effect(() => {
        if (this.failed.value) {
          // Select the item that the views show instead.
          untracked(() => this.selection.choose(this.shown.value?.item ?? 0));
        }
      }),
      this.sequences.backend.subscribe(() => (this.failed.value = null))
    ];
    return () => disposers.forEach(dispose => dispose());
  }

  /** Returns the selected item of a trace; null if its tokens have not arrived. */
  of(trace: TraceSummary): Shown | null {
    const item = this.itemOf(trace);
    const sequences = this.sequences.of(trace, item);
    return sequences && { trace, item, sequences };
  }

  /** Returns what to show; the previous item until the tokens of the selected one arrive. */
  private show(before: Shown | null): Shown | null {
    const trace = this.trace.value;
    if (!trace) {
      return null;
    }
    const now =
      this.of(trace) ??
      (before?.trace.id === trace.id
        ? { ...before, trace }
        : { trace, item: trace.item, sequences: trace.sequences });
    const same =
      before?.trace === now.trace && before.item === now.item && before.sequences === now.sequences;
    return same ? before : now;
  }

  /** Requests the tokens if no push included them. */
  private requestTokens(): () => void {
    const { sequences } = this;
    const trace = computed(() => this.trace.value?.id);
    const missing = computed(() => {
      const trace = this.trace.value;
      const item = trace ? this.itemOf(trace) : 0;
      return !trace || sequences.of(trace, item) ? null : item;
    });
    return effect(() => {
      if (trace.value === undefined || missing.value === null || !sequences.backend.value) {
        return undefined;
      }
      const [id, item] = [trace.value, missing.value];
      const asking = new AbortController();
      this.failed.value = null;
      untracked(() => sequences.ask(id, item, asking.signal)).catch((error: unknown) => {
        if (!asking.signal.aborted) {
          const why = error instanceof Error ? error.message : String(error);
          this.failed.value = { trace: id, why };
        }
      });
      return () => asking.abort();
    });
  }

  /** The selected item, or the first if the trace does not have it. */
  private itemOf(trace: TraceSummary): number {
    const item = this.selection.item.value;
    return item < trace.items ? item : 0;
  }
}
