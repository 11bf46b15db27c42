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
import type { EditorCell } from './editor-cell';
import type { NotebookSession } from './notebook-session';

/** The attention sessions of all open notebooks. */
export const INotebookSessions = new Token<INotebookSessions>(
  'attnlab:INotebookSessions',
  'The attention sessions of the open notebooks.'
);

export interface INotebookSessions {
  /** Returns the session of a notebook; creates it on first use. */
  of(panel: NotebookPanel): NotebookSession;
  /** Returns the cell whose text an editor shows; null for other editors. */
  cellOf(shared: object): EditorCell | null;
  /** Emitted when a tagged cell is about to run. */
  readonly scheduled: ISignal<INotebookSessions, NotebookSession>;
}

/** Creates a session for each notebook, and starts backends when tagged cells run. */
export class NotebookSessions implements INotebookSessions, IDisposable {
  readonly #tracker: INotebookTracker;
  readonly #make: (panel: NotebookPanel) => NotebookSession;
  readonly #sessions = new Map<NotebookPanel, NotebookSession>();
  readonly #scheduled = new Signal<this, NotebookSession>(this);
  readonly #until = new AbortController();
  #isDisposed = false;

  constructor(tracker: INotebookTracker, make: (panel: NotebookPanel) => NotebookSession) {
    this.#tracker = tracker;
    this.#make = make;
    tracker.forEach(panel => this.of(panel));
    tracker.widgetAdded.connect(this.#onAdded, this);
    // Emitted before the execution request is sent, so that the first run is recorded.
    NotebookActions.executionScheduled.connect(this.#onScheduled, this);
    const until = this.#until.signal;
    // Otherwise the kernel would keep computing for a closed page.
    addEventListener('pagehide', () => this.#sessions.forEach(it => it.leave()), { signal: until });
    addEventListener('pageshow', () => this.#sessions.forEach(it => it.return()), {
      signal: until
    });
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

  cellOf(shared: object): EditorCell | null {
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
    this.#until.abort();
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
