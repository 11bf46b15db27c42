import { StateEffect, StateField, type Extension } from '@codemirror/state';
import {
  Decoration,
  EditorView,
  ViewPlugin,
  type DecorationSet,
  type PluginValue,
  type ViewUpdate
} from '@codemirror/view';
import { effect, untracked } from '@preact/signals-core';

import { inCell, type CellPlace, type InCell } from './cell-place';
import type { Source } from '../protocol/messages';
import { marksOf, type Mark, type MarkOptions } from './marks';
import { tokenAt } from '../state/placed';

const setMarks = StateEffect.define<DecorationSet>();

/** Marks follow edits until the next ones come. */
const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (value, transaction) =>
    transaction.effects.reduce(
      (before, own) => (own.is(setMarks) ? own.value : before),
      value.map(transaction.changes)
    ),
  provide: field => EditorView.decorations.from(field)
});

/** Shows in a tagged cell's editor what its words attend to, and the caret's word in the panel. */
class EditorMarks implements PluginValue {
  private readonly stop: () => void;
  private frame = 0;
  private shown: InCell | null = null;
  private source: Source | null = null;
  private drawn = false;

  constructor(
    private readonly view: EditorView,
    place: CellPlace,
    options: () => MarkOptions
  ) {
    this.stop = effect(() => {
      const shown = inCell(place);
      const source = shown?.document.source.peek() ?? null;
      const arrived = source !== this.source;
      [this.shown, this.source] = [shown, source];
      this.draw(marksOf(place, options()));
      if (arrived) {
        untracked(() => this.follow());
      }
    });
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.focusChanged || update.docChanged) {
      this.follow();
    }
  }

  destroy(): void {
    this.stop();
    cancelAnimationFrame(this.frame);
  }

  /** While the editor has focus, the caret's word is the query. */
  private follow(): void {
    const { main } = this.view.state.selection;
    const shown = this.shown;
    if (!shown || !this.view.hasFocus || !main.empty || !shown.document.current.peek()) {
      return;
    }
    const token = tokenAt(shown.tokens, main.head);
    const { selection } = shown.state;
    if (token && selection.query.peek() !== token.index) {
      selection.query.value = token.index;
    }
  }

  /** Once a frame at most, and never within an update of the editor. */
  private draw(own: readonly Mark[]): void {
    cancelAnimationFrame(this.frame);
    if (own.length === 0 && !this.drawn) {
      return;
    }
    this.frame = requestAnimationFrame(() => {
      this.drawn = own.length > 0;
      const { length } = this.view.state.doc;
      const ranges = own
        .filter(({ start, end }) => start < end && end <= length)
        .map(({ start, end, ...look }) => Decoration.mark(look).range(start, end));
      this.view.dispatch({ effects: setMarks.of(Decoration.set(ranges, true)) });
    });
  }
}

/** The extension of one cell's editor. */
export function editorMarks(place: CellPlace, options: () => MarkOptions): Extension {
  return [marks, ViewPlugin.define(view => new EditorMarks(view, place, options))];
}
