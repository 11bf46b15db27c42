import { effect } from '@preact/signals-core';
import type { IStateDB } from '@jupyterlab/statedb';
import type { IDisposable } from '@lumino/disposable';

import type { PanelState, SavedPanel } from '../../state/panel/panel';
import { SAVE_DEBOUNCE } from '../../state/timing';

/** Stores a panel's selection, display options and pinned cell in JupyterLab's state database. */
export class PanelStorage implements IDisposable {
  readonly #db: IStateDB;
  readonly #state: PanelState;
  readonly #key: () => string;
  #stop: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  /** @param key - Returns the storage key, which changes when the notebook is renamed. */
  constructor(db: IStateDB, state: PanelState, key: () => string) {
    this.#db = db;
    this.#state = state;
    this.#key = key;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#stop?.();
    clearTimeout(this.#timer);
  }

  /** Restores the stored state, then stores every change. */
  async restore(): Promise<void> {
    try {
      const saved = (await this.#db.fetch(this.#key())) as Partial<SavedPanel> | undefined;
      if (saved && !this.#isDisposed) {
        this.#state.restore(saved);
      }
    } catch (error) {
      console.warn('attnlab: failed to read the stored selection.', error);
    }
    this.save();
  }

  /** Stores the current state and every change. */
  save(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#stop = effect(() => {
      const saved = this.#state.toJSON();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => void this.#db.save(this.#key(), { ...saved } as never),
        SAVE_DEBOUNCE
      );
    });
  }

  /** Stops storing and deletes the stored state. */
  forget(): void {
    this.dispose();
    void this.#db.remove(this.#key());
  }
}
