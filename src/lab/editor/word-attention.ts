import { computed } from '@preact/signals-core';

import type { HoverResult, Span } from '../../protocol/messages';
import type { CellDocument } from '../../state/kernel/cell-document';
import { phaseMessage } from '../../state/kernel/phase-message';
import * as messages from '../../state/kernel/user-messages';
import type { UserMessage } from '../../state/kernel/user-messages';
import { wordAt } from '../../state/text/words';
import { HOVER_TIMEOUT } from '../../state/timing';
import { whenTrue } from '../../state/when-true';
import { latestCell, type EditorCell, type ShownCell } from '../notebook/editor-cell';

/** A word with at least one token. */
export interface WordAttention {
  word: Span;
  shown: ShownCell;
  result: HoverResult;
}

/** Requests the tokens and attention of the word at an offset; returns why if there are none. */
export async function wordAttention(
  place: EditorCell,
  document: CellDocument,
  offset: number
): Promise<WordAttention | UserMessage> {
  await whenComputed(document);
  const backend = place.session.backend;
  if (!backend || document.unfinished.value || !document.current.value) {
    return phaseMessage(document);
  }
  const shown = latestCell(place);
  if (!shown) {
    return { message: messages.SHOWS_ANOTHER };
  }
  const word = wordAt(document.text.value, offset);
  if (!word) {
    return { message: messages.NO_TOKENS };
  }
  const { focus, heads } = shown.state.selection;
  const params = {
    cell: place.cell,
    span: word,
    trace: shown.shown.trace.id,
    item: shown.shown.item,
    site: focus.value.site,
    heads: [...heads.value]
  };
  try {
    const { result } = await backend.request('textDocument/hover', params);
    return result.tokens.length > 0 ? { word, shown, result } : { message: messages.NO_TOKENS };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { message: messages.TOKENS_FAILED, values: [why] };
  }
}

/**
 * Resolves when the text is not being computed, or after a timeout.
 *
 * The kernel knows token positions only for the text that the views show.
 */
async function whenComputed({ phase }: CellDocument): Promise<void> {
  const computes = computed(() => phase.value !== 'computing');
  await whenTrue(computes, AbortSignal.timeout(HOVER_TIMEOUT));
}
