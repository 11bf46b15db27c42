import {
  NotebookActions,
  type INotebookTracker,
  type Notebook,
  type NotebookPanel
} from '@jupyterlab/notebook';

import type { Cell } from '@jupyterlab/cells';
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { isTagged } from './attention-tag';
import type { CellPlace } from './cell-place';
import type { NotebookSession } from './notebook-session';

/** The attention sessions of all open notebooks. */
export const INotebookSessions = new Token<INotebookSessions>(
  'attnlab:INotebookSessions',
  'The attention sessions of the open notebooks.'
);

export interface INotebookSessions {
  /** The session of a notebook, made when first asked for. */
  of(panel: NotebookPanel): NotebookSession;
  /** The notebook and the cell that an editor's text is of; null for any other editor. */
  placeOf(shared: object): CellPlace | null;
  /** Fires when a watched cell is about to run. */
  readonly scheduled: ISignal<INotebookSessions, NotebookSession>;
}

/** Makes a session for each notebook, and starts backends when watched cells run. */
export class NotebookSessions implements INotebookSessions, IDisposable {
  readonly #tracker: INotebookTracker;
  readonly #make: (panel: NotebookPanel) => NotebookSession;
  readonly #sessions = new Map<NotebookPanel, NotebookSession>();
  readonly #scheduled = new Signal<this, NotebookSession>(this);
  #isDisposed = false;

  constructor(tracker: INotebookTracker, make: (panel: NotebookPanel) => NotebookSession) {
    this.#tracker = tracker;
    this.#make = make;
    tracker.forEach(panel => this.of(panel));
    tracker.widgetAdded.connect(this.#onAdded, this);
    // This comes before the cell's own request, so that its first run is not missed.
    NotebookActions.executionScheduled.connect(this.#onScheduled, this);
  }

  get scheduled(): ISignal<this, NotebookSession> {
    return this.#scheduled;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  of(panel: NotebookPanel): NotebookSession {
    const known = this.#sessions.get(panel);
    if (known) {
      return known;
    }
    const session = this.#make(panel);
    this.#sessions.set(panel, session);
    session.disposed.connect(() => {
      this.#sessions.delete(panel);
    }, this);
    return session;
  }

  placeOf(shared: object): CellPlace | null {
    for (const panel of this.#sessions.keys()) {
      for (const cell of panel.content.model?.cells ?? []) {
        if (cell.sharedModel === shared) {
          return { session: this.of(panel), cell: cell.id };
        }
      }
    }
    return null;
  }

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    for (const session of [...this.#sessions.values()]) {
      session.dispose();
    }
    Signal.clearData(this);
  }

  #onAdded(_: INotebookTracker, panel: NotebookPanel): void {
    this.of(panel);
  }

  #onScheduled(_: unknown, { notebook, cell }: { notebook: Notebook; cell: Cell }): void {
    const panel = this.#tracker.find(({ content }) => content === notebook);
    if (panel && isTagged(cell.model)) {
      const session = this.of(panel);
      session.start();
      this.#scheduled.emit(session);
    }
  }
}
