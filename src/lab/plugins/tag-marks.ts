import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { isTagged } from '../notebook/attention-tag';

const TAGGED_CLASS = 'attnlab-tagged';

/** Marks the tagged cells of one notebook in their prompt area. */
export class TagMarks implements IDisposable {
  readonly #panel: NotebookPanel;
  readonly #trans: TranslationBundle;
  readonly #changed = new Signal<this, void>(this);
  readonly #watched = new WeakSet<Cell>();
  #isDisposed = false;

  constructor(panel: NotebookPanel, trans: TranslationBundle) {
    this.#panel = panel;
    this.#trans = trans;
    // A reverted or replaced notebook has another model.
    panel.content.modelChanged.connect(this.#follow, this);
    panel.disposed.connect(this.dispose, this);
    this.#follow();
  }

  /** Emitted when the tags of a cell change. */
  get changed(): ISignal<this, void> {
    return this.#changed;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  dispose(): void {
    if (this.#isDisposed) {
      return;
    }
    this.#isDisposed = true;
    Signal.clearData(this);
  }

  #follow(): void {
    this.#panel.content.model?.cells.changed.connect(this.#update, this);
    this.#update();
  }

  #update(): void {
    for (const cell of this.#panel.content.widgets) {
      if (!this.#watched.has(cell)) {
        this.#watched.add(cell);
        cell.model.metadataChanged.connect((_, { key }) => {
          if (key === 'tags') {
            this.#mark(cell);
            this.#changed.emit();
          }
        }, this);
        // A cell outside the viewport has no prompt until it is rendered.
        void cell.ready.then(() => {
          this.#mark(cell);
        });
      }
      this.#mark(cell);
    }
    this.#changed.emit();
  }

  #mark(cell: Cell): void {
    if (cell.isDisposed || this.#isDisposed) {
      return;
    }
    const tagged = isTagged(cell.model);
    cell.toggleClass(TAGGED_CLASS, tagged);
    const prompt = cell.node.querySelector<HTMLElement>('.jp-InputPrompt');
    if (!prompt) {
      return;
    }
    if (tagged) {
      // The style sheet draws this word, as only an attribute survives updates of the prompt.
      prompt.dataset.attnlab = this.#trans.__('attention');
      prompt.title = this.#trans.__(
        'attnlab watches the attention of models that run in this cell'
      );
    } else if (prompt.dataset.attnlab !== undefined) {
      delete prompt.dataset.attnlab;
      prompt.removeAttribute('title');
    }
  }
}
