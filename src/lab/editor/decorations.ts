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

import type { Source } from '../../protocol/messages';
import { tokenAt } from '../../state/kernel/token-spans';
import { shownCell, type EditorCell, type ShownCell } from '../notebook/editor-cell';
import { marksOf, type Mark, type MarkOptions } from './marks';

const setMarks = StateEffect.define<DecorationSet>();

/** Existing marks move with edits until new ones are set. */
const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (value, transaction) =>
    transaction.effects.reduce(
      (before, effect) => (effect.is(setMarks) ? effect.value : before),
      value.map(transaction.changes)
    ),
  provide: field => EditorView.decorations.from(field)
});

/** Paints attention weights in the editor of a tagged cell; the token at the caret is the query. */
class EditorMarks implements PluginValue {
  private readonly stop: () => void;
  private frame = 0;
  private shown: ShownCell | null = null;
  private source: Source | null = null;
  private drawn = false;

  constructor(
    private readonly view: EditorView,
    place: EditorCell,
    options: () => MarkOptions
  ) {
    this.stop = effect(() => {
      const shown = shownCell(place);
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

  /**
   * Selects the token at the caret as the query while the editor has focus.
   *
   * It is the token and not its word, because a row of attention weights is a token's.
   */
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

  /** Sets the marks at most once per frame, and never during an update of the editor. */
  private draw(decorations: readonly Mark[]): void {
    cancelAnimationFrame(this.frame);
    if (decorations.length === 0 && !this.drawn) {
      return;
    }
    this.frame = requestAnimationFrame(() => {
      this.drawn = decorations.length > 0;
      const { length } = this.view.state.doc;
      const ranges = decorations
        .filter(({ start, end }) => start < end && end <= length)
        .map(({ start, end, ...look }) => Decoration.mark(look).range(start, end));
      this.view.dispatch({ effects: setMarks.of(Decoration.set(ranges, true)) });
    });
  }
}

/** Returns the extension of one cell's editor. */
export function editorMarks(place: EditorCell, options: () => MarkOptions): Extension {
  return [marks, ViewPlugin.define(view => new EditorMarks(view, place, options))];
}
