import type { CellDocument } from '../../state/kernel/cell-document';
import { tokenSpans, type TokenSpan } from '../../state/kernel/token-spans';
import type { PanelState } from '../../state/panel/panel';
import type { Shown } from '../../state/text/tokens';
import type { NotebookSession } from './notebook-session';

/** The cell of an editor, and its notebook. */
export interface EditorCell {
  session: NotebookSession;
  cell: string;
}

/** A cell that is shown in a panel. */
export interface ShownCell {
  document: CellDocument;
  /** The panel that the user used last. */
  state: PanelState;
  /** The trace and batch item that it shows. */
  shown: Shown;
  tokens: TokenSpan[];
}

/** Returns the cell as shown by a visible panel; null if it is not shown. Reads signals. */
export function shownCell(place: EditorCell): ShownCell | null {
  const state = place.session.active;
  // Without a visible panel, nothing is requested that marks could be drawn from.
  return state.visible.value ? placedIn(place, state, state.shown.value) : null;
}

/** The same, but if the panel is hidden, what it would show. */
export function latestCell(place: EditorCell): ShownCell | null {
  const state = place.session.active;
  return placedIn(place, state, state.visible.value ? state.shown.value : state.latest);
}

function placedIn(
  { session, cell }: EditorCell,
  state: PanelState,
  shown: Shown | null
): ShownCell | null {
  const document = session.documents.document(cell);
  const source = document?.source.value;
  if (!document || !source || shown?.trace.cell !== cell || shown.trace.trial) {
    return null;
  }
  const tokens = tokenSpans(source, document.text.value, shown.trace.id, shown.item);
  return { document, state, shown, tokens };
}
