/** A range of rows, `end` excluded. */
export interface RowRange {
  start: number;
  end: number;
}

/** Up to this many rows are all in the DOM, so that the browser's search finds them. */
export const RENDER_ALL = 200;

/**
 * The rows to render at a scroll position.
 *
 * @param beyond - Rows beyond each edge, so that scrolling does not show empty space.
 * @param all - Up to this many rows, all of them.
 */
export function visibleRows(
  total: number,
  top: number,
  height: number,
  row: number,
  beyond = 12,
  all = RENDER_ALL
): RowRange {
  if (total <= all) {
    return { start: 0, end: total };
  }
  // Moves in steps, so that most scroll events change nothing.
  const first = Math.floor(top / row / beyond) * beyond;
  const count = Math.ceil(height / row) + 2 * beyond;
  const start = Math.max(0, Math.min(first - beyond, total - 1));
  return { start, end: Math.min(total, first + count) };
}

/** Returns `before` if it is equal, so that nothing that depends on it is computed again. */
export function keepIfEqual(next: RowRange, before: RowRange | null): RowRange {
  return before?.start === next.start && before.end === next.end ? before : next;
}
