import type { Axis } from '../state/axis';
import type { Selection } from '../state/selection';
import type { MatrixLens } from './matrix-lens';

/** A place in the matrix by its row and column. */
export interface Spot {
  row: number;
  column: number;
}

/** What moves the caret of a matrix, zooms it and selects in it. */
export interface MatrixControl {
  rows: Axis;
  columns: Axis;
  selection: Selection;
  lens: MatrixLens;
}

/** Where the caret is after a key; null for a key that does not move it. */
export function caretAfter(
  { key, ctrlKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey'>,
  at: Spot | null,
  rows: number,
  columns: number
): Spot | null {
  const moves: Record<string, (from: Spot) => Spot> = {
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
  // The first key only shows where the caret is.
  const { row, column } =
    at || key === 'End' ? move(at ?? { row: 0, column: 0 }) : { row: 0, column: 0 };
  return {
    row: Math.max(0, Math.min(row, rows - 1)),
    column: Math.max(0, Math.min(column, columns - 1))
  };
}

/** The cell in question: the hovered row and column, else the selected; null without both. */
export function spotOf({ rows, columns, selection }: MatrixControl): Spot | null {
  const [query, key] = [selection.shownQuery.value, selection.shownKey.value];
  const row = query === null ? -1 : (rows.of[query] ?? -1);
  const column = key === null ? -1 : (columns.of[key] ?? -1);
  return row < 0 || column < 0 ? null : { row, column };
}

/** Where arrow keys start: at the cell in question, else where only its row or column is known. */
function caretOf(control: MatrixControl): Spot | null {
  const { rows, columns, selection } = control;
  const [query, key] = [selection.shownQuery.value, selection.shownKey.value];
  if (query === null && key === null) {
    return null;
  }
  return {
    row: Math.max(0, rows.of[query ?? 0] ?? 0),
    column: Math.max(0, columns.of[key ?? 0] ?? 0)
  };
}

/** Makes a place the hovered one, in every view. */
export function hover({ rows, columns, selection }: MatrixControl, at: Spot | null): void {
  const query = at ? rows.entries[at.row]?.start : undefined;
  const key = at ? columns.entries[at.column]?.start : undefined;
  const old = selection.hover.peek();
  if (old.query !== query || old.key !== key) {
    selection.hover.value = query === undefined || key === undefined ? {} : { query, key };
  }
}

/** Selects a query and a key; where both are selected already, lets go of them. */
export function keep({ rows, columns, selection }: MatrixControl, { row, column }: Spot): void {
  const query = rows.entries[row]?.start ?? null;
  const key = columns.entries[column]?.start ?? null;
  const same = selection.query.peek() === query && selection.key.peek() === key;
  selection.query.value = same ? null : query;
  selection.key.value = same ? null : key;
}

/** What a key does to a matrix. */
export function onMatrixKey(event: KeyboardEvent, control: MatrixControl): void {
  const { lens, rows, columns } = control;
  const at = caretOf(control);
  const zooms: Record<string, () => void> = {
    '+': () => lens.zoom(1),
    '=': () => lens.zoom(1),
    '-': () => lens.zoom(-1),
    '0': () => lens.fit()
  };
  const zoom = event.ctrlKey || event.metaKey || event.altKey ? undefined : zooms[event.key];
  const next =
    event.metaKey || event.altKey
      ? null
      : caretAfter(event, at, rows.entries.length, columns.entries.length);
  if (zoom) {
    zoom();
  } else if ((event.key === 'Enter' || event.key === ' ') && at) {
    keep(control, at);
  } else if (next) {
    hover(control, next);
    lens.reveal(next.row, next.column);
  } else {
    return;
  }
  event.preventDefault();
}
