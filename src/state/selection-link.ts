import { effect, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { SelectionParams } from '../protocol/messages';
import type { Selection } from './selection';

/** Milliseconds for which a change waits for the next one before it is told. */
const SETTLE = 60;

/**
 * Tells the kernel what the panels on it have selected, and takes what Python sets.
 *
 * The panels are the truth. What Python sets is restored as far as the panel's trace has it,
 * and told back as any other change is. To the kernel the panel that it heard of last is the
 * active one, so the one that a person used last always speaks last.
 */
export class SelectionLink {
  /** By their ids, in the order in which they were last used. */
  private readonly panels = new Map<string, Selection>();
  private readonly changed = new Set<string>();
  private readonly last = signal<string | undefined>(undefined);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly stop: () => void;

  constructor(private readonly backend: ReadonlySignal<Backend | null>) {
    this.stop = effect(() => {
      const unlisten = backend.value?.onSelect(params => this.take(params));
      // A kernel that is new to the panels knows nothing of them.
      [...this.panels.keys()].forEach(id => this.settle(id));
      return unlisten;
    });
  }

  /** Links a panel's selection; returns what takes it out again. */
  join(id: string, selection: Selection): () => void {
    this.panels.set(id, selection);
    this.turn();
    const unwatch = effect(() => {
      selection.toJSON();
      this.settle(id);
    });
    return () => {
      unwatch();
      this.panels.delete(id);
      this.turn();
      this.changed.delete(id);
      // The panel that was used before this one is the active one again.
      if (this.active !== undefined) {
        this.settle(this.active);
      }
    };
  }

  /** A person uses this panel: it is told though nothing in it may have changed. */
  activate(id: string): void {
    const selection = this.panels.get(id);
    if (selection) {
      this.panels.delete(id);
      this.panels.set(id, selection);
      this.turn();
      this.settle(id);
    }
  }

  dispose(): void {
    this.stop();
    clearTimeout(this.timer);
  }

  /** The id of the panel that a person used last. */
  get active(): string | undefined {
    return this.last.value;
  }

  private turn(): void {
    this.last.value = [...this.panels.keys()].at(-1);
  }

  private take({ panel, selected }: SelectionParams): void {
    const selection = this.panels.get(panel);
    if (selection) {
      selection.restore(selected);
      // Also where nothing has come of it: Python believes otherwise.
      this.settle(panel);
    }
  }

  private settle(id: string): void {
    this.changed.add(id);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), SETTLE);
  }

  private tell(): void {
    const backend = this.backend.peek();
    for (const [panel, selection] of this.panels) {
      if (this.changed.has(panel) || panel === this.active) {
        backend?.notify('selection/didChange', { panel, selected: selection.toJSON() });
      }
    }
    this.changed.clear();
  }
}
