import { effect } from '@preact/signals-core';
import type { IStateDB } from '@jupyterlab/statedb';
import type { IDisposable } from '@lumino/disposable';

import type { PanelState, SavedPanel } from '../state/panel';

/** Milliseconds for which a change waits for the next one before it is stored. */
const SETTLE = 100;

/** Remembers in the browser what a panel has selected, how it draws and what it is pinned to. */
export class PanelKeeper implements IDisposable {
  readonly #db: IStateDB;
  readonly #state: PanelState;
  readonly #key: () => string;
  #stop: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDisposed = false;

  /** @param key - Where it is stored; a notebook that is renamed has another key. */
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

  /** Gives the panel what is stored, and stores what becomes of it. */
  async restore(): Promise<void> {
    try {
      const saved = (await this.#db.fetch(this.#key())) as Partial<SavedPanel> | undefined;
      if (saved && !this.#isDisposed) {
        this.#state.restore(saved);
      }
    } catch (error) {
      console.warn('attnlab: the stored selection cannot be read.', error);
    }
    this.keep();
  }

  /** Stores the panel as it is, and what becomes of it. */
  keep(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#stop = effect(() => {
      const saved = this.#state.toJSON();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => void this.#db.save(this.#key(), { ...saved } as never),
        SETTLE
      );
    });
  }

  /** Stores nothing any more, and gives up what is stored. */
  forget(): void {
    this.dispose();
    void this.#db.remove(this.#key());
  }
}
