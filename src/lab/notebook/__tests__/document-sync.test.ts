import type { ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { signal } from '@preact/signals-core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { CellDocument } from '../../../state/kernel/cell-document';
import { CellDocuments } from '../../../state/kernel/cell-documents';
import { setTagged } from '../attention-tag';
import { DocumentSync } from '../document-sync';

/** A code cell as far as its text and its metadata go; counts who listens to its text. */
class Cell {
  readonly type = 'code';
  readonly metadata = new Map<string, unknown>();
  readonly metadataChanged = new Signal<this, void>(this);
  readonly text = counted();
  readonly sharedModel = {
    changed: this.text,
    getId: () => this.id,
    getSource: () => this.source
  };

  constructor(
    readonly id: string,
    private source: string
  ) {}

  get model(): ICellModel {
    return this as unknown as ICellModel;
  }

  get listeners(): number {
    return this.text.slots.size;
  }

  getMetadata(key: string): unknown {
    return this.metadata.get(key);
  }

  setMetadata(key: string, value: unknown): void {
    this.metadata.set(key, value);
    this.metadataChanged.emit();
  }

  deleteMetadata(key: string): void {
    this.metadata.delete(key);
    this.metadataChanged.emit();
  }

  write(source: string): void {
    this.source = source;
    this.text.emit(this.sharedModel);
  }
}

type Slot = (sender: unknown) => void;

/** A signal that tells how many listen to it. */
function counted() {
  const slots = new Map<Slot, unknown>();
  return {
    slots,
    connect: (slot: Slot, self: unknown) => void slots.set(slot, self),
    disconnect: (slot: Slot) => slots.delete(slot),
    emit: (sender: unknown) => slots.forEach((self, slot) => slot.call(self, sender))
  };
}

let cells: Cell[];
let documents: CellDocuments;
let live: DocumentSync;
let changed: Signal<object, void>;

function change(next: Cell[]): void {
  cells.splice(0, Infinity, ...next);
  changed.emit();
}

/** Tells of the tagged cells of a notebook that holds these, as they are at any time. */
function follow(cells: Cell[], changed: Signal<object, void>): [CellDocuments, DocumentSync] {
  const list = { changed, [Symbol.iterator]: () => cells[Symbol.iterator]() };
  const content = { model: { cells: list }, modelChanged: new Signal<object, void>({}) };
  const panel = { content } as unknown as NotebookPanel;
  const around = {
    backend: signal(null),
    hostStatus: signal(null),
    running: signal(null),
    traces: signal([]),
    watched: signal(true)
  };
  const documents = new CellDocuments({ ...around, resync: () => undefined }, CellDocument);
  return [documents, new DocumentSync(panel, documents)];
}

beforeEach(() => {
  cells = [new Cell('a', 'text = "one"'), new Cell('b', 'other = 2')];
  setTagged(cells[0]!.model, true);
  changed = new Signal({});
  [documents, live] = follow(cells, changed);
});

afterEach(() => {
  live.dispose();
  documents.dispose();
});

const open = () => [...documents.open.value.keys()];

test('the tagged cells of a notebook are documents, the others are not', () => {
  expect(open()).toEqual(['a']);
  expect(documents.document('a')!.text.value).toBe('text = "one"');
});

test('what is typed, pasted or undone is the text of the document at once', () => {
  cells[0]!.write('text = "two"');
  expect(documents.document('a')!.text.value).toBe('text = "two"');
  cells[0]!.write('text = "one"');
  expect(documents.document('a')!.text.value).toBe('text = "one"');
});

test('a tag opens a document with the text of that moment, and closes it when it goes', () => {
  cells[1]!.write('other = 3');
  setTagged(cells[1]!.model, true);
  expect(documents.document('b')!.text.value).toBe('other = 3');
  setTagged(cells[1]!.model, false);
  expect(open()).toEqual(['a']);
});

test('a cell that is moved keeps its document', () => {
  const before = documents.document('a');
  change([cells[1]!, cells[0]!]);
  expect(documents.document('a')).toBe(before);
});

test('a cell that is recreated with the same id is still followed', () => {
  const before = documents.document('a');
  const again = new Cell('a', 'text = "one"');
  setTagged(again.model, true);
  change([cells[1]!, again]);
  again.write('text = "new"');
  expect(documents.document('a')).toBe(before);
  expect(before!.text.value).toBe('text = "new"');
});

test('a copied cell is a separate document', () => {
  const copy = new Cell('c', 'text = "one"');
  setTagged(copy.model, true);
  change([...cells, copy]);
  copy.write('text = "mine"');
  expect(documents.document('a')!.text.value).toBe('text = "one"');
  expect(documents.document('c')!.text.value).toBe('text = "mine"');
});

test('a cell that is deleted leaves neither a document nor a listener', () => {
  const gone = cells[0]!;
  change([cells[1]!]);
  expect(open()).toEqual([]);
  setTagged(gone.model, true);
  expect(open()).toEqual([]);
  expect(gone.listeners).toBe(0);
});

test('live updates can be set for each cell', () => {
  live.setFollowsEdits(cells[0]!.model, false);
  expect(cells[0]!.getMetadata('attnlab')).toEqual({ live: false });
  expect(documents.document('a')!.live.value).toBe(false);
  live.setFollowsEdits(cells[0]!.model, true);
  expect(cells[0]!.metadata.has('attnlab')).toBe(false);
  expect(documents.document('a')!.live.value).toBe(true);
});

test('the default applies to cells without a setting', () => {
  live.followByDefault(false);
  expect(documents.document('a')!.live.value).toBe(false);
});

test('the default of one notebook is not that of another', () => {
  const cell = new Cell('c', 'text = "one"');
  setTagged(cell.model, true);
  const [others, other] = follow([cell], new Signal({}));
  live.followByDefault(false);
  other.setFollowsEdits(cell.model, true);
  expect(cell.metadata.has('attnlab')).toBe(false);
  expect(others.document('c')!.live.value).toBe(true);
  other.dispose();
  others.dispose();
});

test('other metadata is ignored', () => {
  cells[0]!.setMetadata('attnlab', 'nonsense');
  expect(documents.document('a')!.live.value).toBe(true);
});

test('nothing listens to a cell once the notebook is closed', () => {
  live.dispose();
  setTagged(cells[1]!.model, true);
  expect(open()).toEqual(['a']);
  expect(cells.map(({ listeners }) => listeners)).toEqual([0, 0]);
});
