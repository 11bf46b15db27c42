import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Backend } from '../protocol/backend';
import { Document } from '../state/document';
import type { Documents } from '../state/documents';
import { PanelState } from '../state/panel';
import { Session } from '../state/session';
import { isTagged } from './attention-tag';
import { KernelLink } from './kernel-link';
import { LiveDocuments } from './live-documents';
import { pageId } from './page';
import { PanelKeeper } from './panel-keeper';

/** The name of the sidebar's panel. */
export const SIDEBAR = '';

interface Opened {
  state: PanelState;
  keeper: PanelKeeper | undefined;
}

/** One notebook's attention: what its kernel holds, and the panels that show it. */
export class NotebookSession implements IDisposable {
  readonly panel: NotebookPanel;
  readonly #session = new Session(Document);
  readonly #db: IStateDB | null;
  readonly #link: KernelLink;
  readonly #live: LiveDocuments;
  /** By their names, which are kept over a reload. */
  readonly #panels = new Map<string, Opened>();
  readonly #disposed = new Signal<this, void>(this);
  #isDisposed = false;

  constructor(panel: NotebookPanel, trans: TranslationBundle, db: IStateDB | null) {
    this.panel = panel;
    this.#db = db;
    this.open(SIDEBAR);
    this.#link = new KernelLink(panel.sessionContext, this.#session, trans, () => this.hasTags);
    this.#live = new LiveDocuments(panel, this.#session.documents);
    panel.disposed.connect(this.dispose, this);
  }

  /** The tagged cells, as the views follow them. */
  get documents(): Documents {
    return this.#session.documents;
  }

  /** What requests go through; null while there is no kernel. */
  get backend(): Backend | null {
    return this.#session.backend.peek();
  }

  /** Whether edits are followed by default has changed. */
  updateLive(): void {
    this.#live.update();
  }

  /** The panel that a person used last; the sidebar's at first. */
  get active(): PanelState {
    const id = this.#session.selections.active;
    const states = [...this.#panels.values()].map(({ state }) => state);
    return states.find(state => state.id === id) ?? this.state(SIDEBAR);
  }

  /** Whether a cell of the notebook is watched. */
  get hasTags(): boolean {
    return [...(this.panel.content.model?.cells ?? [])].some(isTagged);
  }

  get disposed(): ISignal<this, void> {
    return this.#disposed;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Starts the backend in the notebook's kernel. The request goes out before this returns. */
  start(): void {
    void this.#link.start();
  }

  /** Whether the notebook still has a cell. */
  hasCell(cellId: string): boolean {
    return [...(this.panel.content.model?.cells ?? [])].some(({ id }) => id === cellId);
  }

  /** The panel of this name, which is open. */
  state(name: string): PanelState {
    const opened = this.#panels.get(name);
    if (!opened) {
      throw new Error(`No panel is open under the name “${name}”.`);
    }
    return opened.state;
  }

  /** A name that no panel has. */
  get freeName(): string {
    let number = 1;
    while (this.#panels.has(String(number))) {
      number++;
    }
    return String(number);
  }

  /**
   * Makes another panel, which nobody sees yet.
   *
   * @param like - The panel that it begins as a copy of; without it, what is stored is restored.
   */
  open(name: string, like?: PanelState): PanelState {
    const path = () => this.panel.context.path;
    const place = name && `:${name}`;
    const state = new PanelState(`${pageId()}:${path()}${place}`, this.#session);
    state.visible.value = false;
    const keeper =
      this.#db === null
        ? undefined
        : new PanelKeeper(this.#db, state, () => `attnlab:panel:${path()}${place}`);
    this.#panels.set(name, { state, keeper });
    if (like) {
      state.restore(like.toJSON());
      keeper?.keep();
    } else {
      void keeper?.restore();
    }
    return state;
  }

  /** Closes a panel for good; the others, and what the kernel holds, stay. */
  close(name: string): void {
    const opened = this.#panels.get(name);
    this.#panels.delete(name);
    opened?.keeper?.forget();
    opened?.state.dispose();
  }

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    // In this order: the panels say good-bye over the link.
    for (const { state, keeper } of this.#panels.values()) {
      keeper?.dispose();
      state.dispose();
    }
    this.#live.dispose();
    this.#link.dispose();
    this.#session.dispose();
    this.#disposed.emit();
    Signal.clearData(this);
  }
}
