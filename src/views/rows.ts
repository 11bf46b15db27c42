import type { Focus, SiteSummary, TraceSummary } from '../protocol/messages';
import { passes, type Filter, type ModelHead } from '../state/ordering';

/** One row of the model view: a site, or a layer that has no attention. */
export interface LayerRow {
  layer: number;
  site: SiteSummary | null;
  /** Index of the site's first thumbnail. */
  first: number;
  /** The heads that are shown, in order. */
  heads: readonly number[];
  /** Which of the calls of this layer, from 0: a vision tower may see several pictures. */
  nth: number;
}

/** The heads of a row. */
export function headsIn({ layer, site, first, heads }: LayerRow): ModelHead[] {
  return site ? heads.map(head => ({ site: site.index, head, layer, index: first + head })) : [];
}

/** The rows of one stack of layers. */
export interface LayerGroup {
  kind: SiteSummary['kind'];
  stack: string;
  /** What tells the stack from the model's others; empty where its kind does. */
  part: string;
  /** Which run of the stack, e.g. ` (2)` for a tower's second picture; empty for the first. */
  run: string;
  rows: LayerRow[];
  /** How many heads of the widest row are shown. */
  columns: number;
}

/** A trace's sites by stack and layer; layers without attention are gaps with their number. */
export function groupsOf(trace: TraceSummary): LayerGroup[] {
  const groups = new Map<string, LayerGroup>();
  let first = 0;
  for (const site of trace.sites) {
    const { kind, stack, layer, heads } = site;
    const id = `${kind} ${stack}`;
    const run = RUN.exec(stack)?.[0] ?? '';
    const group = groups.get(id) ?? { kind, stack, part: '', run, rows: [], columns: 0 };
    groups.set(id, group);
    const nth = group.rows.filter(row => row.layer === layer).length;
    group.rows.push({ layer, site, first, heads: upTo(heads), nth });
    group.columns = Math.max(group.columns, heads);
    first += heads;
  }
  const all = [...groups.values()];
  return all.map(group => ({ ...group, part: partOf(group, all), rows: withGaps(group.rows) }));
}

/** The shortest beginning of a stack's path, past what all have in common, that names it. */
function partOf(own: LayerGroup, all: readonly LayerGroup[]): string {
  const paths = all.map(({ stack }) => namesOf(stack));
  const shared = namesOf(own.stack).findIndex((name, i) => paths.some(path => path[i] !== name));
  if (shared < 0) {
    return '';
  }
  const path = namesOf(own.stack).slice(shared);
  const others = all.filter(
    ({ kind, stack }) => kind === own.kind && namesOf(stack).join() !== namesOf(own.stack).join()
  );
  // An encoder's kind is its name already.
  if (others.length === 0 && (path[0] === 'encoder' || path[0] === 'decoder')) {
    return '';
  }
  for (let length = 1; length < path.length; length++) {
    const part = path.slice(0, length).join('.');
    const names = others.map(({ stack }) =>
      namesOf(stack)
        .slice(shared, shared + length)
        .join('.')
    );
    if (!names.includes(part)) {
      return part;
    }
  }
  return path.join('.');
}

/** How the kernel marks a stack's second run. */
const RUN = / \(\d+\)$/;

/** The names on a stack's path, without the layers' numbers. */
function namesOf(stack: string): string[] {
  return stack
    .replace(RUN, '')
    .split('.')
    .filter(name => name !== '#');
}

function withGaps(rows: LayerRow[]): LayerRow[] {
  const sorted = [...rows].sort((a, b) => a.layer - b.layer);
  const all: LayerRow[] = [];
  let next = 0;
  const fill = (to: number) => {
    for (; next < to; next++) {
      all.push({ layer: next, site: null, first: -1, heads: [], nth: 0 });
    }
  };
  for (const row of sorted) {
    fill(row.layer);
    all.push(row);
    next = row.layer + 1;
  }
  fill(Math.max(0, ...rows.map(({ site }) => site?.depth ?? 0)));
  return all;
}

function upTo(end: number): number[] {
  return Array.from({ length: end }, (_, i) => i);
}

/** What the filter leaves of groups; layers without attention stay, as they are none of its heads. */
export function filtered(groups: readonly LayerGroup[], filter: Filter): LayerGroup[] {
  const shows = passes(filter);
  const layers = passes({ ...filter, heads: '' });
  return groups.flatMap(group => {
    const rows = group.rows.flatMap(row => {
      const heads = row.heads.filter(head => shows(row.layer, head));
      const stays = row.site ? heads.length > 0 : layers(row.layer, 0);
      return stays ? { ...row, heads } : [];
    });
    const columns = Math.max(0, ...rows.map(({ heads }) => heads.length));
    return columns > 0 ? { ...group, rows, columns } : [];
  });
}

/** The head that a key leads to from another; null for a key that leads nowhere. */
export function neighbour(
  groups: readonly LayerGroup[],
  from: { site: number; head: number },
  key: string,
  far: boolean
): { site: number; head: number } | null {
  const rows = groups.flatMap(({ rows }) =>
    rows.flatMap(({ site, heads }) => (site ? { site: site.index, heads } : []))
  );
  const at = rows.findIndex(({ site }) => site === from.site);
  const here = rows[at];
  if (!here) {
    return null;
  }
  const column = Math.max(0, here.heads.indexOf(from.head));
  const to = (row: number, column: number) => {
    const { site, heads } = rows[Math.max(0, Math.min(row, rows.length - 1))] ?? here;
    return { site, head: heads[Math.max(0, Math.min(column, heads.length - 1))] ?? 0 };
  };
  switch (key) {
    case 'ArrowLeft':
      return to(at, column - 1);
    case 'ArrowRight':
      return to(at, column + 1);
    case 'ArrowUp':
    case 'PageUp':
      return to(at - (key === 'PageUp' ? 5 : 1), column);
    case 'ArrowDown':
    case 'PageDown':
      return to(at + (key === 'PageDown' ? 5 : 1), column);
    case 'Home':
      return to(far ? 0 : at, 0);
    case 'End':
      return to(far ? rows.length - 1 : at, Infinity);
    default:
      return null;
  }
}

/** The same among heads in lines of so many, as they stand in order of a score. */
export function neighbourInLines(
  heads: readonly Focus[],
  across: number,
  from: Focus,
  key: string,
  far: boolean
): Focus | null {
  const at = heads.findIndex(({ site, head }) => site === from.site && head === from.head);
  const start = at - (at % across);
  const last = heads.length - 1;
  const to: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - across < 0 ? at : at - across,
    ArrowDown: at + across > last ? at : at + across,
    PageUp: at - 5 * across,
    PageDown: at + 5 * across,
    Home: far ? 0 : start,
    End: far ? last : start + across - 1
  };
  const next = to[key];
  const found = next === undefined ? null : heads[at < 0 ? 0 : Math.max(0, Math.min(next, last))];
  return found ? { site: found.site, head: found.head } : null;
}
