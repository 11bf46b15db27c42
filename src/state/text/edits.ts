import type { Change, Span } from '../../protocol/messages';

/** Returns the single range in which two texts differ, in UTF-16 code units. */
export function difference(before: string, after: string): Required<Change> {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start++;
  }
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) {
    end++;
  }
  const span = { start, end: before.length - end };
  return { span, text: after.slice(start, after.length - end) };
}

/** Moves a span of one text to its position in another; null if the text in it was edited. */
export function shiftSpan({ start, end }: Span, before: string, after: string): Span | null {
  if (before === after) {
    return { start, end };
  }
  const { span, text } = difference(before, after);
  if (end <= span.start) {
    return { start, end };
  }
  const by = text.length - (span.end - span.start);
  return start >= span.end ? { start: start + by, end: end + by } : null;
}

/** Returns the line number of an offset, counted from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
