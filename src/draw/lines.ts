import type { Stretch } from './window';

/** Breaks boxes of these widths into lines of at most `available`, at least one box a line. */
export function broken(widths: readonly number[], available: number): Stretch[] {
  const lines: Stretch[] = [];
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
