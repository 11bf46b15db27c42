import type { Extension } from '@codemirror/state';
import { hoverTooltip, showTooltip, type EditorView, type Tooltip } from '@codemirror/view';
import { StateEffect, StateField, type Transaction } from '@codemirror/state';
import type { TranslationBundle } from '@jupyterlab/translation';

import { formatWeight } from '../../draw/format-number';
import { tintOf, type Tint } from '../../state/heads/token-tint';
import type { CellDocument } from '../../state/kernel/cell-document';
import { fillPlaceholders, AT_LINE, type UserMessage } from '../../state/kernel/user-messages';
import { lineOf } from '../../state/text/edits';
import { HOVER_DELAY } from '../../state/timing';
import type { EditorCell } from '../notebook/editor-cell';
import { translateFunction } from '../translate';
import { wordAttention, type WordAttention } from './word-attention';

const setTooltip = StateEffect.define<Tooltip | null>();

/** The tooltip that a command opens at the caret, until the text or the caret changes. */
const atCaret = StateField.define<Tooltip | null>({
  create: () => null,
  update: (value, transaction) =>
    transaction.effects.reduce(
      (before, effect) => (effect.is(setTooltip) ? effect.value : before),
      isMoved(transaction) ? null : value
    ),
  provide: field => showTooltip.from(field)
});

/** Tells an edit or a moved caret from a selection that is set again where it is, as on focus. */
function isMoved({ docChanged, startState, newSelection }: Transaction): boolean {
  return docChanged || !newSelection.eq(startState.selection);
}

/** Shows a tooltip with the tokens and attention of the word under the pointer in a tagged cell. */
export function editorHover(place: EditorCell, trans: TranslationBundle): Extension {
  return [
    hoverTooltip((_, offset) => tooltip(place, offset, trans, false), { hoverTime: HOVER_DELAY }),
    atCaret
  ];
}

/** Shows the same tooltip at the caret, or why there is nothing to show. */
export async function hoverAtCaret(
  view: EditorView,
  place: EditorCell,
  trans: TranslationBundle
): Promise<void> {
  const { doc, selection } = view.state;
  const found = await tooltip(place, selection.main.head, trans, true);
  // After an edit or a move of the caret, the tooltip would be at another word.
  if (view.state.doc.eq(doc) && view.state.selection.eq(selection)) {
    view.dispatch({ effects: setTooltip.of(found) });
  }
}

/** @param explains - Whether the tooltip gives the reason if there is nothing to show. */
async function tooltip(
  place: EditorCell,
  offset: number,
  trans: TranslationBundle,
  explains: boolean
): Promise<Tooltip | null> {
  const document = place.session.documents.document(place.cell);
  if (!document) {
    return null;
  }
  const release = await place.session.watch();
  try {
    return await createTooltip(place, document, offset, trans, explains);
  } finally {
    release();
  }
}

async function createTooltip(
  place: EditorCell,
  document: CellDocument,
  offset: number,
  trans: TranslationBundle,
  explains: boolean
): Promise<Tooltip | null> {
  const found = await wordAttention(place, document, offset);
  const content = diagnosticsAt(document, offset, trans);
  if ('word' in found) {
    content.push(...tokensOf(found, trans), ...strongestOf(found, trans));
  } else if (explains && content.length === 0) {
    content.push(paragraph(translated(found, trans)));
  }
  if (content.length === 0) {
    return null;
  }
  const dom = window.document.createElement('div');
  dom.className = 'attnlab-hover';
  dom.append(...content);
  const { start, end } = 'word' in found ? found.word : { start: offset, end: offset };
  return { pos: start, end, above: true, create: () => ({ dom }) };
}

/** Returns the diagnostics at an offset. */
function diagnosticsAt(
  document: CellDocument,
  offset: number,
  trans: TranslationBundle
): HTMLElement[] {
  return document.diagnostics.value
    .filter(({ span }) => span.start <= offset && offset <= span.end)
    .map(({ span, message }) => {
      const line = lineOf(document.text.value, span.start);
      return paragraph(translated({ message: AT_LINE, values: [line, message] }, trans));
    });
}

/** Lists the word's tokens and the weights that they receive in the selected heads. */
function tokensOf(
  { shown: { state, shown }, result: { tokens } }: WordAttention,
  trans: TranslationBundle
): HTMLElement[] {
  const heads = state.selection.heads.value;
  const layer = shown.trace.sites[state.selection.focus.value.site]?.layer ?? 0;
  const names = [
    trans.__('Token'),
    trans.__('Id'),
    ...heads.map(head => trans.__('layer %1, head %2', layer, head))
  ];
  const rows = tokens.map(({ index, received }) => {
    const token = shown.sequences[0]?.tokens[index];
    return [token?.text ?? '', `${token?.id ?? ''}`, ...received];
  });
  const note = trans.__('For each head: the sum of the weights on the token over all queries.');
  const [first] = tokens;
  const { same } = state.sides.value;
  // A hidden panel has not requested the weights of these heads.
  const tint =
    first && state.visible.value && tintOf(state.heads, first.index, { query: true, key: same });
  const said = tint
    ? [paragraph(trans.__('Weight in the current selection: %1', formatTint(tint)))]
    : [];
  return [tableOf([names, ...rows]), paragraph(note), ...said];
}

function strongestOf(
  { shown: { shown }, result: { strongest } }: WordAttention,
  trans: TranslationBundle
): HTMLElement[] {
  if (strongest.length === 0) {
    return [];
  }
  const rows = strongest.map(({ site, head, key, weight }) => [
    trans.__('layer %1', shown.trace.sites[site]?.layer ?? site),
    trans.__('head %1', head),
    `→ ${shown.sequences[0]?.tokens[key]?.text ?? key}`,
    weight
  ]);
  return [paragraph(trans.__('Attends most to:')), tableOf(rows)];
}

function formatTint({ weight, exact }: Tint): string {
  return `${exact ? '' : '≈'}${formatWeight(weight)}`;
}

function translated({ message, values = [] }: UserMessage, trans: TranslationBundle): string {
  return fillPlaceholders(translateFunction(trans)(message), values);
}

function paragraph(text: string): HTMLElement {
  const element = window.document.createElement('p');
  element.textContent = text;
  return element;
}

/** Tokens are untrusted text and never parsed as HTML. */
function tableOf(rows: readonly (readonly string[])[]): HTMLElement {
  const table = window.document.createElement('table');
  for (const row of rows) {
    const line = table.insertRow();
    for (const text of row) {
      line.insertCell().textContent = text;
    }
  }
  return table;
}
