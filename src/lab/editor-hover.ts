import type { Extension } from '@codemirror/state';
import { hoverTooltip, showTooltip, type EditorView, type Tooltip } from '@codemirror/view';
import { StateEffect, StateField } from '@codemirror/state';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { HoverResult } from '../protocol/messages';
import { lineOf, type Document } from '../state/document';
import { printed } from '../draw/number';
import { shifted } from '../state/placed';
import { tintOf, type Tint } from '../state/tinted';
import { inCell, type CellPlace, type InCell } from './cell-place';

/** Milliseconds for which the pointer rests before anything is asked. */
const REST = 300;

const setTooltip = StateEffect.define<Tooltip | null>();

/** What a command shows at the caret, until the text or the caret changes. */
const atCaret = StateField.define<Tooltip | null>({
  create: () => null,
  update: (value, transaction) =>
    transaction.effects.reduce(
      (before, own) => (own.is(setTooltip) ? own.value : before),
      transaction.docChanged || transaction.selection ? null : value
    ),
  provide: field => showTooltip.from(field)
});

/** Tells of the word under the pointer in a tagged cell what the model makes of it. */
export function editorHover(place: CellPlace, trans: TranslationBundle): Extension {
  return [hoverTooltip((_, offset) => tooltip(place, offset, trans), { hoverTime: REST }), atCaret];
}

/** Shows the same at the caret. */
export async function hoverAtCaret(
  view: EditorView,
  place: CellPlace,
  trans: TranslationBundle
): Promise<void> {
  const found = await tooltip(place, view.state.selection.main.head, trans);
  view.dispatch({ effects: setTooltip.of(found) });
}

async function tooltip(
  place: CellPlace,
  offset: number,
  trans: TranslationBundle
): Promise<Tooltip | null> {
  const document = place.session.documents.document(place.cell);
  if (!document) {
    return null;
  }
  const said = saidAt(document, offset, trans);
  const shown = inCell(place);
  const result = shown ? await ask(place, shown, offset) : null;
  const word = result?.span ?? null;
  if (!word && said.length === 0) {
    return null;
  }
  const dom = window.document.createElement('div');
  dom.className = 'attnlab-hover';
  dom.append(...said);
  if (shown && result && word) {
    dom.append(...tokensOf(shown, result, trans), ...strongestOf(shown, result, trans));
  }
  const source = document.source.value;
  const at = word && source ? shifted(word, source, document.text.value) : null;
  return {
    pos: at?.start ?? offset,
    end: at?.end ?? offset,
    above: true,
    create: () => ({ dom })
  };
}

async function ask(
  { session, cell }: CellPlace,
  { state, document }: InCell,
  offset: number
): Promise<HoverResult | null> {
  const shown = state.shown.value;
  const backend = session.backend;
  // The kernel knows the places of the text that it has shown.
  if (!shown || !backend || !document.current.value) {
    return null;
  }
  const { focus, heads } = state.selection;
  const params = {
    cell,
    offset,
    trace: shown.trace.id,
    item: shown.item,
    site: focus.value.site,
    heads: [...heads.value]
  };
  try {
    return (await backend.request('textDocument/hover', params)).result;
  } catch {
    return null; // What is said of the text itself is still to be shown.
  }
}

/** What diagnostics say of a place. */
function saidAt(document: Document, offset: number, trans: TranslationBundle): HTMLElement[] {
  return document.diagnostics.value
    .filter(({ span }) => span.start <= offset && offset <= span.end)
    .map(({ span, message }) => {
      const line = lineOf(document.text.value, span.start);
      return paragraph(trans.__('Line %1: %2', line, message));
    });
}

/** The word's tokens, and what the selected heads' queries give them. */
function tokensOf(
  { state }: InCell,
  { tokens }: HoverResult,
  trans: TranslationBundle
): HTMLElement[] {
  const shown = state.shown.value;
  const heads = state.selection.heads.value;
  const layer = state.site.value?.layer ?? 0;
  const names = [
    trans.__('Token'),
    trans.__('Id'),
    ...heads.map(head => trans.__('layer %1, head %2', layer, head))
  ];
  const rows = tokens.map(({ index, received }) => {
    const token = shown?.sequences[0]?.tokens[index];
    return [token?.text ?? '', `${token?.id ?? ''}`, ...received];
  });
  const note = trans.__('Under each head: the weights that all queries give the token, summed.');
  const [first] = tokens;
  const { same } = state.sides.value;
  const tint = first && tintOf(state.heads, first.index, { query: true, key: same });
  const said =
    tint === undefined
      ? []
      : [paragraph(trans.__('Its weight in what is selected: %1', weightSaid(tint)))];
  return [tableOf([names, ...rows]), paragraph(note), ...said];
}

function strongestOf(
  { state }: InCell,
  { strongest }: HoverResult,
  trans: TranslationBundle
): HTMLElement[] {
  const shown = state.shown.value;
  if (!shown || strongest.length === 0) {
    return [];
  }
  const rows = strongest.map(({ site, head, key, weight }) => [
    trans.__('layer %1', shown.trace.sites[site]?.layer ?? site),
    trans.__('head %1', head),
    `→ ${shown.sequences[0]?.tokens[key]?.text ?? key}`,
    weight
  ]);
  return [paragraph(trans.__('It attends most to')), tableOf(rows)];
}

function weightSaid({ weight, exact }: Tint): string {
  return `${exact ? '' : '≈'}${printed(weight)}`;
}

function paragraph(text: string): HTMLElement {
  const own = window.document.createElement('p');
  own.textContent = text;
  return own;
}

/** Text from a tokenizer is written as text, never as HTML. */
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
