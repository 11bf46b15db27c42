import type { Extension } from '@codemirror/state';
import { hoverTooltip, showTooltip, type EditorView, type Tooltip } from '@codemirror/view';
import { StateEffect, StateField, type Transaction } from '@codemirror/state';
import type { TranslationBundle } from '@jupyterlab/translation';

import { formatWeight } from '../../draw/format-number';
import type { HoverResult, Span } from '../../protocol/messages';
import { tintOf, type Tint } from '../../state/heads/token-tint';
import type { CellDocument } from '../../state/kernel/cell-document';
import { fillPlaceholders, AT_LINE } from '../../state/kernel/user-messages';
import { lineOf } from '../../state/text/edits';
import { wordAt } from '../../state/text/words';
import { HOVER_DELAY } from '../../state/timing';
import { latestCell, type EditorCell, type ShownCell } from '../notebook/editor-cell';
import { translateFunction } from '../translate';

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
    hoverTooltip((_, offset) => tooltip(place, offset, trans), { hoverTime: HOVER_DELAY }),
    atCaret
  ];
}

/** Shows the same tooltip at the caret. */
export async function hoverAtCaret(
  view: EditorView,
  place: EditorCell,
  trans: TranslationBundle
): Promise<void> {
  const found = await tooltip(place, view.state.selection.main.head, trans);
  view.dispatch({ effects: setTooltip.of(found) });
}

async function tooltip(
  place: EditorCell,
  offset: number,
  trans: TranslationBundle
): Promise<Tooltip | null> {
  const document = place.session.documents.document(place.cell);
  if (!document) {
    return null;
  }
  const release = await place.session.watch();
  try {
    return await createTooltip(place, document, offset, trans);
  } finally {
    release();
  }
}

async function createTooltip(
  place: EditorCell,
  document: CellDocument,
  offset: number,
  trans: TranslationBundle
): Promise<Tooltip | null> {
  const said = diagnosticsAt(document, offset, trans);
  const shown = latestCell(place);
  const word = wordAt(document.text.value, offset);
  const result = shown && word ? await ask(place, shown, word) : null;
  const hasTokens = result !== null && result.tokens.length > 0;
  if (!hasTokens && said.length === 0) {
    return null;
  }
  const dom = window.document.createElement('div');
  dom.className = 'attnlab-hover';
  dom.append(...said);
  if (shown && hasTokens) {
    dom.append(...tokensOf(shown, result, trans), ...strongestOf(shown, result, trans));
  }
  const range = hasTokens ? word : null;
  return {
    pos: range?.start ?? offset,
    end: range?.end ?? offset,
    above: true,
    create: () => ({ dom })
  };
}

async function ask(
  { session, cell }: EditorCell,
  { state, shown, document }: ShownCell,
  span: Span
): Promise<HoverResult | null> {
  const backend = session.backend;
  // The kernel knows token positions only for the text that the views show.
  if (!backend || !document.current.value) {
    return null;
  }
  const { focus, heads } = state.selection;
  const params = {
    cell,
    span,
    trace: shown.trace.id,
    item: shown.item,
    site: focus.value.site,
    heads: [...heads.value]
  };
  try {
    return (await backend.request('textDocument/hover', params)).result;
  } catch {
    return null; // The diagnostics are still shown.
  }
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
      return paragraph(fillPlaceholders(translateFunction(trans)(AT_LINE), [line, message]));
    });
}

/** Lists the word's tokens and the weights that they receive in the selected heads. */
function tokensOf(
  { state, shown }: ShownCell,
  { tokens }: HoverResult,
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
  { shown }: ShownCell,
  { strongest }: HoverResult,
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
