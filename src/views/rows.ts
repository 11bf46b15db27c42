import type { SiteSummary, TraceSummary } from '../protocol/messages';

/** One row of the model view: a site, or a layer that has no attention. */
export interface LayerRow {
  layer: number;
  site: SiteSummary | null;
  /** Index of the site's first thumbnail. */
  first: number;
}

/** The rows of one kind of attention. */
export interface LayerGroup {
  kind: SiteSummary['kind'];
  rows: LayerRow[];
  /** Heads of the widest row. */
  columns: number;
}

/** A trace's sites by kind and layer; layers without attention are gaps with their number. */
export function groupsOf(trace: TraceSummary): LayerGroup[] {
  const groups = new Map<SiteSummary['kind'], LayerGroup>();
  let first = 0;
  for (const site of trace.sites) {
    const group = groups.get(site.kind) ?? { kind: site.kind, rows: [], columns: 0 };
    groups.set(site.kind, group);
    group.rows.push({ layer: site.layer, site, first });
    group.columns = Math.max(group.columns, site.heads);
    first += site.heads;
  }
  return [...groups.values()].map(group => ({ ...group, rows: withGaps(group.rows) }));
}

function withGaps(rows: LayerRow[]): LayerRow[] {
  const sorted = [...rows].sort((a, b) => a.layer - b.layer);
  const all: LayerRow[] = [];
  let next = 0;
  for (const row of sorted) {
    for (; next < row.layer; next++) {
      all.push({ layer: next, site: null, first: -1 });
    }
    all.push(row);
    next = row.layer + 1;
  }
  return all;
}

/** The head that a key leads to from another; null for a key that leads nowhere. */
export function neighbour(
  groups: readonly LayerGroup[],
  from: { site: number; head: number },
  key: string,
  far: boolean
): { site: number; head: number } | null {
  const rows = groups.flatMap(({ rows }) => rows.flatMap(row => row.site ?? []));
  const at = rows.findIndex(site => site.index === from.site);
  const here = rows[at];
  if (!here) {
    return null;
  }
  const last = here.heads - 1;
  const to = (row: number, head: number) => {
    const site = rows[Math.max(0, Math.min(row, rows.length - 1))] ?? here;
    return { site: site.index, head: Math.max(0, Math.min(head, site.heads - 1)) };
  };
  switch (key) {
    case 'ArrowLeft':
      return to(at, from.head - 1);
    case 'ArrowRight':
      return to(at, Math.min(last, from.head + 1));
    case 'ArrowUp':
    case 'PageUp':
      return to(at - (key === 'PageUp' ? 5 : 1), from.head);
    case 'ArrowDown':
    case 'PageDown':
      return to(at + (key === 'PageDown' ? 5 : 1), from.head);
    case 'Home':
      return to(far ? 0 : at, 0);
    case 'End':
      return to(far ? rows.length - 1 : at, Infinity);
    default:
      return null;
  }
}
