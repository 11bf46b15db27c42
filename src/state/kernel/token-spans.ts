import type { Source } from '../../protocol/messages';
import { shiftSpan } from '../text/edits';

/** The span of a trace's token in the text of the cell. */
export interface TokenSpan {
  index: number;
  start: number;
  end: number;
}

/** Returns the spans of the tokens that appear in a cell whose text is now `text`, in order. */
export function tokenSpans(source: Source, text: string, trace: string, item: number): TokenSpan[] {
  const origin = source.origins.find(origin => origin.trace === trace && origin.item === item);
  const found: TokenSpan[] = [];
  for (let i = 0; origin && 2 * i + 1 < origin.spans.length; i++) {
    const [start = -1, end = -1] = origin.spans.slice(2 * i, 2 * i + 2);
    const place = start < 0 ? null : shiftSpan({ start, end }, source.text, text);
    if (place && place.start < place.end) {
      found.push({ index: i, ...place });
    }
  }
  return found;
}

/** Returns the token around an offset, otherwise the token that ends there. */
export function tokenAt(tokens: readonly TokenSpan[], offset: number): TokenSpan | null {
  return (
    tokens.find(({ start, end }) => start <= offset && offset < end) ??
    tokens.find(({ end }) => offset === end) ??
    null
  );
}
