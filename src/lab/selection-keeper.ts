import { effect } from '@preact/signals-core';
import type { IStateDB } from '@jupyterlab/statedb';
import type { IDisposable } from '@lumino/disposable';

import type { PanelState } from '../state/panel';
import type { SavedSelection } from '../state/selection';

/** Milliseconds for which a change waits for the next one before it is stored. */
const SETTLE = 100;

interface Kept {
  selection: SavedSelection;
  pinned: string | null;
}

/** Remembers a notebook's selection in the browser, under the notebook's path. */
export class SelectionKeeper implements IDisposable {
  readonly #db: IStateDB;
  readonly #state: PanelState;
  readonly #path: () => string;
  #stop: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  constructor(db: IStateDB, state: PanelState, path: () => string) {
    this.#db = db;
    this.#state = state;
    this.#path = path;
    void this.#restore();
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#stop?.();
    clearTimeout(this.#timer);
  }

  get #key(): string {
    return `attnlab:selection:${this.#path()}`;
  }

  async #restore(): Promise<void> {
    const { selection, session } = this.#state;
    try {
      const kept = (await this.#db.fetch(this.#key)) as Kept | undefined;
      if (this.#isDisposed) {
        return;
      }
      if (kept) {
        // One that an older version stored names no item.
        selection.restore({ ...selection.toJSON(), ...kept.selection });
        session.pin(kept.pinned);
      }
    } catch (error) {
      console.warn('attnlab: the stored selection cannot be read.', error);
    }
    let first = true;
    this.#stop = effect(() => {
      const kept: Kept = { selection: selection.toJSON(), pinned: session.pinned.value };
      if (first) {
        first = false;
        return;
      }
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#db.save(this.#key, { ...kept } as never), SETTLE);
    });
  }
}
