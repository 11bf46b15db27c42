/** A stretch of rows, `end` excluded. */
export interface Stretch {
  start: number;
  end: number;
}

/** Up to this many rows are all in the page, so that a browser's own search finds them. */
export const ALL = 200;

/**
 * Which of `total` rows are to be in the page at this scroll position.
 *
 * @param beyond - Rows drawn past each edge, so that scrolling does not show bare paper.
 * @param all - With at most so many rows, all of them.
 */
export function stretch(
  total: number,
  top: number,
  height: number,
  row: number,
  beyond = 12,
  all = ALL
): Stretch {
  if (total <= all) {
    return { start: 0, end: total };
  }
  // In steps, so that most scroll events change nothing.
  const first = Math.floor(top / row / beyond) * beyond;
  const count = Math.ceil(height / row) + 2 * beyond;
  const start = Math.max(0, Math.min(first - beyond, total - 1));
  return { start, end: Math.min(total, first + count) };
}

/** The stretch from before where it is of the same rows: what depends on it is not made anew. */
export function steady(next: Stretch, before: Stretch | null): Stretch {
  return before?.start === next.start && before.end === next.end ? before : next;
}
