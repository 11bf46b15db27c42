import { effect, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { SelectionParams } from '../../protocol/messages';
import type { Selection } from '../view-state/selection';
import { SELECTION_DEBOUNCE } from '../timing';

/**
 * Synchronizes the selections of all panels with the kernel.
 *
 * The panels are authoritative: a selection that Python sets is clamped to the panel's trace and
 * sent back like any other change. The kernel takes the panel that sent its selection last as
 * the active one, so the panel that the user used last always sends last.
 */
export class SelectionLink {
  /** By panel id, least recently used first. */
  private readonly panels = new Map<string, Selection>();
  private readonly changed = new Set<string>();
  private readonly last = signal<string | undefined>(undefined);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly stop: () => void;

  constructor(private readonly backend: ReadonlySignal<Backend | null>) {
    this.stop = effect(() => {
      const unlisten = backend.value?.onSelect(params => this.receive(params));
      // A new kernel does not know the selections yet.
      [...this.panels.keys()].forEach(id => this.schedule(id));
      return unlisten;
    });
  }

  /** Adds a panel's selection; returns a function that removes it. */
  join(id: string, selection: Selection): () => void {
    this.panels.set(id, selection);
    this.updateActive();
    const unwatch = effect(() => {
      selection.toJSON();
      this.schedule(id);
    });
    return () => {
      unwatch();
      this.panels.delete(id);
      this.updateActive();
      this.changed.delete(id);
      // The previously used panel becomes active again.
      if (this.active !== undefined) {
        this.schedule(this.active);
      }
    };
  }

  /** Makes a panel the active one, and sends its selection even if unchanged. */
  activate(id: string): void {
    const selection = this.panels.get(id);
    if (selection) {
      this.panels.delete(id);
      this.panels.set(id, selection);
      this.updateActive();
      this.schedule(id);
    }
  }

  dispose(): void {
    this.stop();
    clearTimeout(this.timer);
  }

  /** The id of the panel that the user used last. */
  get active(): string | undefined {
    return this.last.value;
  }

  private updateActive(): void {
    this.last.value = [...this.panels.keys()].at(-1);
  }

  private receive({ panel, selection }: SelectionParams): void {
    const linked = this.panels.get(panel);
    if (linked) {
      linked.restore(selection);
      // Sent even if nothing changed, because Python assumes its value was applied.
      this.schedule(panel);
    }
  }

  private schedule(id: string): void {
    this.changed.add(id);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), SELECTION_DEBOUNCE);
  }

  private send(): void {
    const backend = this.backend.peek();
    for (const [panel, selection] of this.panels) {
      if (this.changed.has(panel) || panel === this.active) {
        backend?.notify('selection/didChange', { panel, selection: selection.toJSON() });
      }
    }
    this.changed.clear();
  }
}
