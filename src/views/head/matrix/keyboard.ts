import type { Selection } from '../../../state/view-state/selection';
import type { Axis } from '../../../state/heads/axis';
import type { MatrixViewport } from './viewport';

/** The row and column of a cell. */
export interface CellPosition {
  row: number;
  column: number;
}

/** What the input handlers of a matrix control. */
export interface MatrixControl {
  rows: Axis;
  columns: Axis;
  selection: Selection;
  viewport: MatrixViewport;
}

/** The caret after a key; null for a key that does not move it. */
export function caretAfter(
  { key, ctrlKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey'>,
  at: CellPosition | null,
  rows: number,
  columns: number
): CellPosition | null {
  const moves: Record<string, (from: CellPosition) => CellPosition> = {
    ArrowLeft: ({ row, column }) => ({ row, column: column - 1 }),
    ArrowRight: ({ row, column }) => ({ row, column: column + 1 }),
    ArrowUp: ({ row, column }) => ({ row: row - 1, column }),
    ArrowDown: ({ row, column }) => ({ row: row + 1, column }),
    PageUp: ({ row, column }) => ({ row: row - 10, column }),
    PageDown: ({ row, column }) => ({ row: row + 10, column }),
    Home: ({ row }) => ({ row: ctrlKey ? 0 : row, column: 0 }),
    End: ({ row }) => ({ row: ctrlKey ? rows - 1 : row, column: columns - 1 })
  };
  const move = moves[key];
  if (!move || rows === 0 || columns === 0) {
    return null;
  }
  // The first key only shows the caret.
  const { row, column } =
    at || key === 'End' ? move(at ?? { row: 0, column: 0 }) : { row: 0, column: 0 };
  return {
    row: Math.max(0, Math.min(row, rows - 1)),
    column: Math.max(0, Math.min(column, columns - 1))
  };
}

/** The hovered, or else the selected, cell; null unless both its row and its column are known. */
export function currentCell({ rows, columns, selection }: MatrixControl): CellPosition | null {
  const [query, key] = [selection.shownQuery.value, selection.shownKey.value];
  const row = query === null ? -1 : (rows.entryOf[query] ?? -1);
  const column = key === null ? -1 : (columns.entryOf[key] ?? -1);
  return row < 0 || column < 0 ? null : { row, column };
}

/** The start of arrow keys; an unknown row or column is the first one. */
function caretOf(control: MatrixControl): CellPosition | null {
  const { rows, columns, selection } = control;
  const [query, key] = [selection.shownQuery.value, selection.shownKey.value];
  if (query === null && key === null) {
    return null;
  }
  return {
    row: Math.max(0, rows.entryOf[query ?? 0] ?? 0),
    column: Math.max(0, columns.entryOf[key ?? 0] ?? 0)
  };
}

/** Sets the hovered query and key in all views. */
export function hoverCell(
  { rows, columns, selection }: MatrixControl,
  at: CellPosition | null
): void {
  const query = at ? rows.entries[at.row]?.start : undefined;
  const key = at ? columns.entries[at.column]?.start : undefined;
  const old = selection.hover.peek();
  if (old.query !== query || old.key !== key) {
    selection.hover.value = query === undefined || key === undefined ? {} : { query, key };
  }
}

/** Selects the query and the key of a cell; clears the selection if both were selected. */
export function toggleCell(
  { rows, columns, selection }: MatrixControl,
  { row, column }: CellPosition
): void {
  const query = rows.entries[row]?.start ?? null;
  const key = columns.entries[column]?.start ?? null;
  const same = selection.query.peek() === query && selection.key.peek() === key;
  selection.query.value = same ? null : query;
  selection.key.value = same ? null : key;
}

/** Handles the keys of a matrix: zoom, selection and caret. */
export function onMatrixKey(event: KeyboardEvent, control: MatrixControl): void {
  const { viewport, rows, columns } = control;
  const at = caretOf(control);
  const zooms: Record<string, () => void> = {
    '+': () => viewport.zoom(1),
    '=': () => viewport.zoom(1),
    '-': () => viewport.zoom(-1),
    '0': () => viewport.fit()
  };
  const zoom = event.ctrlKey || event.metaKey || event.altKey ? undefined : zooms[event.key];
  const next =
    event.metaKey || event.altKey
      ? null
      : caretAfter(event, at, rows.entries.length, columns.entries.length);
  if (zoom) {
    zoom();
  } else if ((event.key === 'Enter' || event.key === ' ') && at) {
    toggleCell(control, at);
  } else if (next) {
    hoverCell(control, next);
    viewport.reveal(next.row, next.column);
  } else {
    return;
  }
  event.preventDefault();
}
