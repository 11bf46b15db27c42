import { printed } from '../draw/number';
import { shifted } from '../state/placed';
import { tintOf } from '../state/tinted';
import { inCell, type CellPlace, type InCell } from './cell-place';

/** A stretch of a cell's text, and how it looks. */
export interface Mark {
  start: number;
  end: number;
  class: string;
  attributes: Record<string, string>;
}

export interface MarkOptions {
  /** Whether weights are painted behind the words. */
  paint: boolean;
  /** Whether it is shown where tokens meet. */
  boundaries: boolean;
}

/** Lighter than this, a tint is not seen. */
const FAINT = 0.005;

/** All marks of a cell as it is now; reads signals. */
export function marksOf(place: CellPlace, options: MarkOptions): Mark[] {
  const document = place.session.documents.document(place.cell);
  if (!document) {
    return [];
  }
  const shown = inCell(place);
  return [...(shown ? tokenMarks(shown, options) : []), ...diagnosticMarks(place)];
}

function tokenMarks({ document, state, tokens }: InCell, options: MarkOptions): Mark[] {
  const { selection, sides, heads } = state;
  const stale = !document.current.value;
  const { same } = sides.value;
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  return tokens.flatMap(({ index, start, end }, i) => {
    const tint = options.paint ? tintOf(heads, index, { query: true, key: same }) : undefined;
    const tinted = tint !== undefined && tint.weight >= FAINT;
    const role = index === query ? 'query' : same && index === key ? 'key' : null;
    const joined = options.boundaries && tokens[i - 1]?.end === start;
    if (!tinted && !role && !joined) {
      return [];
    }
    const attributes: Record<string, string> = {};
    if (tinted) {
      attributes.style = `--attnlab-weight: ${Math.min(1, tint.weight).toFixed(3)}`;
      attributes['data-weight'] = `${tint.exact ? '' : '≈'}${printed(tint.weight)}`;
    }
    const names = [
      'attnlab-in-cell',
      tinted && 'attnlab-in-cell-tinted',
      role && `attnlab-in-cell-${role}`,
      joined && 'attnlab-in-cell-joined',
      stale && 'attnlab-in-cell-stale'
    ];
    return [{ start, end, class: names.filter(Boolean).join(' '), attributes }];
  });
}

/** What is said of places in the text, under them. */
function diagnosticMarks({ session, cell }: CellPlace): Mark[] {
  const document = session.documents.document(cell);
  const source = document?.source.value;
  if (!document) {
    return [];
  }
  const text = document.text.value;
  return document.diagnostics.value.flatMap(({ span, severity, message }) => {
    const place = document.current.value && source ? shifted(span, source, text) : span;
    return place
      ? [
          {
            ...place,
            class: `attnlab-diagnostic attnlab-diagnostic-${severity}`,
            attributes: { title: message }
          }
        ]
      : [];
  });
}
