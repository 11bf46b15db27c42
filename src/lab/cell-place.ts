import type { PanelState } from '../state/panel';
import type { Document } from '../state/document';
import { placedTokens, type PlacedToken } from '../state/placed';
import type { NotebookSession } from './notebook-session';

/** An editor's cell, in its notebook. */
export interface CellPlace {
  session: NotebookSession;
  cell: string;
}

/** What an editor's marks are made of; null where its cell is not tagged, or shows nothing. */
export interface InCell {
  document: Document;
  /** The panel that a person used last, where it shows this cell. */
  state: PanelState;
  tokens: PlacedToken[];
}

/** Reads signals, so that an effect follows what it gives. */
export function inCell({ session, cell }: CellPlace): InCell | null {
  const document = session.documents.document(cell);
  const state = session.active;
  const shown = state.shown.value;
  const source = document?.source.value;
  if (!document || !source || shown?.trace.cell !== cell || shown.trace.tried) {
    return null;
  }
  const tokens = placedTokens(source, document.text.value, shown.trace.id, shown.item);
  return { document, state, tokens };
}
