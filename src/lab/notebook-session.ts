import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { PanelState } from '../state/panel';
import { isTagged } from './attention-tag';
import { KernelLink } from './kernel-link';
import { pageId } from './page';
import { SelectionKeeper } from './selection-keeper';

/** One notebook's attention: its panel's state, and what keeps that in step. */
export class NotebookSession implements IDisposable {
  readonly panel: NotebookPanel;
  readonly state: PanelState;
  readonly #link: KernelLink;
  readonly #keeper: SelectionKeeper | undefined;
  readonly #disposed = new Signal<this, void>(this);
  #isDisposed = false;

  constructor(panel: NotebookPanel, trans: TranslationBundle, db: IStateDB | null) {
    this.panel = panel;
    this.state = new PanelState(`${pageId()}:${panel.context.path}`);
    // Nobody sees it before the sidebar shows it.
    this.state.visible.value = false;
    this.#keeper = db ? new SelectionKeeper(db, this.state, () => panel.context.path) : undefined;
    this.#link = new KernelLink(panel.sessionContext, this.state, trans, () => this.hasTags);
    panel.disposed.connect(this.dispose, this);
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

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    this.#keeper?.dispose();
    // In this order: the state says good-bye over the link.
    this.state.dispose();
    this.#link.dispose();
    this.#disposed.emit();
    Signal.clearData(this);
  }
}
