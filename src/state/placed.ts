import type { Source } from '../protocol/messages';
import { difference } from './document';

/** A token of a trace, at its place in the text of the cell. */
export interface PlacedToken {
  index: number;
  start: number;
  end: number;
}

/** Moves a stretch of a source's text to where it is after an edit; null where it was edited. */
export function shifted(
  { start, end }: { start: number; end: number },
  source: Source,
  text: string
): { start: number; end: number } | null {
  if (source.text === text) {
    return { start, end };
  }
  const { span, text: added } = difference(source.text, text);
  if (!span || end <= span.start) {
    return { start, end };
  }
  const by = added.length - (span.end - span.start);
  return start >= span.end ? { start: start + by, end: end + by } : null;
}

/** The tokens that stand in a cell whose text is now `text`, in order. */
export function placedTokens(
  source: Source,
  text: string,
  trace: string,
  item: number
): PlacedToken[] {
  const origin = source.origins.find(own => own.trace === trace && own.item === item);
  const found: PlacedToken[] = [];
  for (let i = 0; origin && 2 * i + 1 < origin.spans.length; i++) {
    const [start = -1, end = -1] = origin.spans.slice(2 * i, 2 * i + 2);
    const place = start < 0 ? null : shifted({ start, end }, source, text);
    if (place && place.start < place.end) {
      found.push({ index: i, ...place });
    }
  }
  return found;
}

/** The token at an offset: the one around it, else the one that ends there. */
export function tokenAt(tokens: readonly PlacedToken[], offset: number): PlacedToken | null {
  return (
    tokens.find(({ start, end }) => start <= offset && offset < end) ??
    tokens.find(({ end }) => offset === end) ??
    null
  );
}
