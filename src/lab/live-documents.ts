import type { ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import type { Documents } from '../state/documents';
import { isTagged } from './attention-tag';
import { followsEdits } from './live-switch';

/** Tells the session of a notebook what its tagged cells say, at every change of them. */
export class LiveDocuments implements IDisposable {
  readonly #panel: NotebookPanel;
  readonly #documents: Documents;
  readonly #watched = new Set<ICellModel>();
  #isDisposed = false;

  constructor(panel: NotebookPanel, documents: Documents) {
    this.#panel = panel;
    this.#documents = documents;
    // A reverted or replaced notebook has another model.
    panel.content.modelChanged.connect(this.#follow, this);
    this.#follow();
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
    for (const model of this.#watched) {
      model.sharedModel.changed.disconnect(this.#onText, this);
    }
    this.#watched.clear();
  }

  /** The default has changed for cells that do not say otherwise. */
  update(): void {
    for (const model of this.#watched) {
      this.#documents.document(model.id)?.setLive(followsEdits(model));
    }
  }

  #follow(): void {
    this.#panel.content.model?.cells.changed.connect(this.#onCells, this);
    this.#onCells();
  }

  /** Cells have come, gone or moved; one that was moved keeps its id, and so its document. */
  #onCells(): void {
    const cells = new Set(this.#panel.content.model?.cells ?? []);
    for (const model of this.#watched) {
      if (!cells.has(model)) {
        this.#watched.delete(model);
        model.metadataChanged.disconnect(this.#onMetadata, this);
        model.sharedModel.changed.disconnect(this.#onText, this);
      }
    }
    for (const model of cells) {
      if (!this.#watched.has(model)) {
        this.#watched.add(model);
        model.metadataChanged.connect(this.#onMetadata, this);
        model.sharedModel.changed.connect(this.#onText, this);
      }
      this.#onMetadata(model);
    }
    const ids = new Set([...cells].map(({ id }) => id));
    for (const cell of [...this.#documents.open.peek().keys()]) {
      if (!ids.has(cell)) {
        this.#documents.leave(cell);
      }
    }
  }

  #onMetadata(model: ICellModel): void {
    if (isTagged(model)) {
      const live = followsEdits(model);
      this.#documents.follow(model.id, model.sharedModel.getSource(), live).setLive(live);
    } else {
      this.#documents.leave(model.id);
    }
  }

  #onText(shared: ICellModel['sharedModel']): void {
    this.#documents.document(shared.getId())?.edit(shared.getSource());
  }
}
