import type { RowRange } from './visible-rows';

/** Breaks boxes into lines of at most `available` width, with at least one box per line. */
export function brokenLines(widths: readonly number[], available: number): RowRange[] {
  const lines: RowRange[] = [];
  let start = 0;
  let used = 0;
  widths.forEach((width, i) => {
    if (i > start && used + width > available) {
      lines.push({ start, end: i });
      start = i;
      used = 0;
    }
    used += width;
  });
  if (start < widths.length) {
    lines.push({ start, end: widths.length });
  }
  return lines;
}
