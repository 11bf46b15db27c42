import { formatWeight } from '../../draw/format-number';
import { tintOf } from '../../state/heads/token-tint';
import { shiftSpan } from '../../state/text/edits';
import { shownCell, type EditorCell, type ShownCell } from '../notebook/editor-cell';

/** A styled range of a cell's text. */
export interface Mark {
  start: number;
  end: number;
  class: string;
  attributes: Record<string, string>;
}

export interface MarkOptions {
  /** Whether weights are painted behind the tokens. */
  paint: boolean;
  /** Whether boundaries between adjacent tokens are marked. */
  boundaries: boolean;
}

/** A lighter tint is invisible. */
const FAINT = 0.005;

/** Returns all marks of a cell; reads signals. */
export function marksOf(place: EditorCell, options: MarkOptions): Mark[] {
  const document = place.session.documents.document(place.cell);
  if (!document || !place.session.active.visible.value) {
    return [];
  }
  const shown = shownCell(place);
  return [...(shown ? tokenMarks(shown, options) : []), ...diagnosticMarks(place)];
}

function tokenMarks({ document, state, tokens }: ShownCell, options: MarkOptions): Mark[] {
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
      attributes['data-weight'] = `${tint.exact ? '' : '≈'}${formatWeight(tint.weight)}`;
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

/** Returns underlines for the diagnostics of a cell. */
function diagnosticMarks({ session, cell }: EditorCell): Mark[] {
  const document = session.documents.document(cell);
  const source = document?.source.value;
  if (!document) {
    return [];
  }
  const text = document.text.value;
  return document.diagnostics.value.flatMap(({ span, severity, message }) => {
    const place = document.current.value && source ? shiftSpan(span, source.text, text) : span;
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
