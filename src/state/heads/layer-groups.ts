import type { SiteSummary, TraceSummary } from '../../protocol/messages';
import { filterPredicate, type HeadFilter } from '../view-state/head-filter';
import type { ModelHead } from './ranking';

/** One row of the model view: a site, or a layer without attention. */
export interface LayerRow {
  layer: number;
  site: SiteSummary | null;
  /** Index of the site's first thumbnail. */
  first: number;
  /** The heads that are shown, in order. */
  heads: readonly number[];
  /** Index among the calls of this layer: a vision tower may process several images. */
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
  /** Distinguishes the stack from others of the model; empty if its kind does. */
  part: string;
  /** Run of the stack, e.g. ` (2)` for the second image of a vision tower; empty for the first. */
  run: string;
  rows: LayerRow[];
  /** Number of heads in the widest row. */
  columns: number;
}

/** Groups the sites of a trace by stack and layer, with a row for each layer without attention. */
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

/** Returns the shortest prefix of a stack's path, after the common part, that is unique. */
function partOf(group: LayerGroup, all: readonly LayerGroup[]): string {
  const paths = all.map(({ stack }) => namesOf(stack));
  const shared = namesOf(group.stack).findIndex((name, i) => paths.some(path => path[i] !== name));
  if (shared < 0) {
    return '';
  }
  const path = namesOf(group.stack).slice(shared);
  const others = all.filter(
    ({ kind, stack }) =>
      kind === group.kind && namesOf(stack).join() !== namesOf(group.stack).join()
  );
  // The kind of an encoder or decoder already names it.
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

/** The suffix with which the kernel marks later runs of a stack. */
const RUN = / \(\d+\)$/;

/** The module names on a stack's path, without layer numbers. */
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

/** Applies a filter to groups; a filter of heads does not remove layers without attention. */
export function filtered(groups: readonly LayerGroup[], filter: HeadFilter): LayerGroup[] {
  const shows = filterPredicate(filter);
  const layers = filterPredicate({ ...filter, heads: '' });
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
