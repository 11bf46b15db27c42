import type { Focus } from '../../../protocol/messages';
import type { LayerGroup } from '../../../state/heads/layer-groups';

/** Rows that Page Up and Page Down move by. */
const PAGE = 5;

/** The head to which a key moves among layers as rows; null for other keys. */
export function neighbor(
  groups: readonly LayerGroup[],
  from: Focus,
  key: string,
  far: boolean
): Focus | null {
  const rows = groups.flatMap(({ rows }) =>
    rows.flatMap(({ site, heads }) => (site ? { site: site.index, heads } : []))
  );
  const at = rows.findIndex(({ site }) => site === from.site);
  const here = rows[at];
  if (!here) {
    return null;
  }
  const column = Math.max(0, here.heads.indexOf(from.head));
  const to = (row: number, column: number): Focus => {
    const { site, heads } = rows[Math.max(0, Math.min(row, rows.length - 1))] ?? here;
    return { site, head: heads[Math.max(0, Math.min(column, heads.length - 1))] ?? 0 };
  };
  switch (key) {
    case 'ArrowLeft':
      return to(at, column - 1);
    case 'ArrowRight':
      return to(at, column + 1);
    case 'ArrowUp':
      return to(at - 1, column);
    case 'ArrowDown':
      return to(at + 1, column);
    case 'PageUp':
      return to(at - PAGE, column);
    case 'PageDown':
      return to(at + PAGE, column);
    case 'Home':
      return to(far ? 0 : at, 0);
    case 'End':
      return to(far ? rows.length - 1 : at, Infinity);
    default:
      return null;
  }
}

/** The head to which a key moves among sorted heads, `columns` in a row; null for other keys. */
export function sortedNeighbor(
  heads: readonly Focus[],
  columns: number,
  from: Focus,
  key: string,
  far: boolean
): Focus | null {
  const at = heads.findIndex(({ site, head }) => site === from.site && head === from.head);
  const start = at - (at % columns);
  const last = heads.length - 1;
  const to: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - columns < 0 ? at : at - columns,
    ArrowDown: at + columns > last ? at : at + columns,
    PageUp: at - PAGE * columns,
    PageDown: at + PAGE * columns,
    Home: far ? 0 : start,
    End: far ? last : start + columns - 1
  };
  const next = to[key];
  const found = next === undefined ? null : heads[at < 0 ? 0 : Math.max(0, Math.min(next, last))];
  return found ? { site: found.site, head: found.head } : null;
}
