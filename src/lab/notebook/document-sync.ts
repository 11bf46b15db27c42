import type { ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import type { CellDocuments } from '../../state/kernel/cell-documents';
import { isTagged } from './attention-tag';
import { followsEdits, setFollowsEdits } from './live-metadata';

/** Keeps the documents of a notebook's session in sync with the tagged cells. */
export class DocumentSync implements IDisposable {
  readonly #panel: NotebookPanel;
  readonly #documents: CellDocuments;
  readonly #watched = new Set<ICellModel>();
  #byDefault = true;
  #isDisposed = false;

  constructor(panel: NotebookPanel, documents: CellDocuments) {
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

  /** Sets the default for cells without a setting in their metadata. */
  followByDefault(live: boolean): void {
    this.#byDefault = live;
    for (const model of this.#watched) {
      this.#documents.document(model.id)?.setLive(this.followsEdits(model));
    }
  }

  /** Whether the views update while the user types in a cell. */
  followsEdits(model: ICellModel): boolean {
    return followsEdits(model, this.#byDefault);
  }

  /** Sets whether the views update while the user types in a cell. */
  setFollowsEdits(model: ICellModel, live: boolean): void {
    setFollowsEdits(model, live, this.#byDefault);
  }

  #follow(): void {
    this.#panel.content.model?.cells.changed.connect(this.#onCells, this);
    this.#onCells();
  }

  /** Called when cells are added, removed or moved; a moved cell keeps its id and its document. */
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
      const live = this.followsEdits(model);
      this.#documents.follow(model.id, model.sharedModel.getSource(), live).setLive(live);
    } else {
      this.#documents.leave(model.id);
    }
  }

  #onText(shared: ICellModel['sharedModel']): void {
    this.#documents.document(shared.getId())?.edit(shared.getSource());
  }
}
