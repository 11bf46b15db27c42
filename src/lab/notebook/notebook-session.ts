import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IStateDB } from '@jupyterlab/statedb';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Backend } from '../../protocol/backend';
import { CellDocument } from '../../state/kernel/cell-document';
import type { CellDocuments } from '../../state/kernel/cell-documents';
import { KernelSession } from '../../state/kernel/kernel-session';
import { PanelState } from '../../state/panel/panel';
import { HOVER_TIMEOUT } from '../../state/timing';
import { KernelLink } from '../kernel/kernel-link';
import { isTagged } from './attention-tag';
import { DocumentSync } from './document-sync';
import { pageId } from './page-id';
import { PanelStorage } from './panel-storage';

/** Name of the sidebar's panel. */
export const SIDEBAR = '';

interface Opened {
  state: PanelState;
  keeper: PanelStorage | undefined;
}

/** The panels of one notebook, and the session and link of its kernel. */
export class NotebookSession implements IDisposable {
  readonly panel: NotebookPanel;
  readonly #session = new KernelSession(CellDocument);
  readonly #db: IStateDB | null;
  readonly #link: KernelLink;
  readonly #live: DocumentSync;
  /** By name; names are kept over a reload. */
  readonly #panels = new Map<string, Opened>();
  readonly #disposed = new Signal<this, void>(this);
  #isDisposed = false;

  constructor(panel: NotebookPanel, db: IStateDB | null) {
    this.panel = panel;
    this.#db = db;
    this.open(SIDEBAR);
    this.#link = new KernelLink(panel.sessionContext, this.#session, () => this.hasTags);
    this.#live = new DocumentSync(panel, this.#session.documents);
    panel.disposed.connect(this.dispose, this);
  }

  /** The documents of the tagged cells. */
  get documents(): CellDocuments {
    return this.#session.documents;
  }

  /** The backend for requests; null without a kernel. */
  get backend(): Backend | null {
    return this.#session.backend.peek();
  }

  /**
   * Keeps the kernel's state up to date although no panel is visible.
   *
   * @returns Ends the updates. Resolves when the state has arrived, or after a timeout.
   */
  async watch(): Promise<() => void> {
    const release = this.#session.watch();
    await this.#session.whenAttached(HOVER_TIMEOUT);
    return release;
  }

  /** Stops updates when the user leaves the page. */
  leave(): void {
    this.#session.pause();
  }

  /** Resumes updates when the user returns to the page. */
  return(): void {
    this.#session.watch()();
  }

  /** Synchronizes documents with the notebook's cells. */
  get live(): DocumentSync {
    return this.#live;
  }

  /** The panel that the user used last; initially the sidebar's. */
  get active(): PanelState {
    const id = this.#session.selections.active;
    const states = [...this.#panels.values()].map(({ state }) => state);
    return states.find(state => state.id === id) ?? this.state(SIDEBAR);
  }

  /** Whether the notebook has a tagged cell. */
  get hasTags(): boolean {
    return [...(this.panel.content.model?.cells ?? [])].some(isTagged);
  }

  get disposed(): ISignal<this, void> {
    return this.#disposed;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Starts the backend in the notebook's kernel. The request is sent before this returns. */
  start(): void {
    void this.#link.start();
  }

  /** Whether the notebook has a cell with this id. */
  hasCell(cellId: string): boolean {
    return [...(this.panel.content.model?.cells ?? [])].some(({ id }) => id === cellId);
  }

  /** Returns the open panel with this name. */
  state(name: string): PanelState {
    const opened = this.#panels.get(name);
    if (!opened) {
      throw new Error(`No panel is open under the name “${name}”.`);
    }
    return opened.state;
  }

  /** An unused panel name. */
  get freeName(): string {
    let number = 1;
    while (this.#panels.has(String(number))) {
      number++;
    }
    return String(number);
  }

  /**
   * Creates a panel, which is hidden at first.
   *
   * @param like - The panel to copy; if absent, the stored state is restored.
   */
  open(name: string, like?: PanelState): PanelState {
    const path = () => this.panel.context.path;
    const place = name && `:${name}`;
    const state = new PanelState(`${pageId()}:${path()}${place}`, this.#session, false);
    const keeper =
      this.#db === null
        ? undefined
        : new PanelStorage(this.#db, state, () => `attnlab:panel:${path()}${place}`);
    this.#panels.set(name, { state, keeper });
    if (like) {
      state.restore(like.toJSON());
      keeper?.save();
    } else {
      void keeper?.restore();
    }
    return state;
  }

  /** Closes a panel and deletes its stored state. */
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
    // Panels unsubscribe over the link, so they are disposed first.
    for (const { state, keeper } of this.#panels.values()) {
      keeper?.dispose();
      state.dispose();
    }
    this.#live.dispose();
    this.#session.dispose();
    this.#link.dispose();
    this.#disposed.emit();
    Signal.clearData(this);
  }
}
