import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { PanelState } from './panel';
import { regionOf, type Region } from './sentences';

/** What is left of a site's thumbnails; null for all of it. */
export type Regions = (site: number) => Region | null;

/**
 * Which region of thumbnails the sentence filter leaves: null for all of all, and of sites whose
 * sides are other texts than the focused one's.
 */
export function thumbRegions(
  state: Pick<PanelState, 'selection' | 'trace' | 'site' | 'sides' | 'heads'>
): ReadonlySignal<Regions | null> {
  const { pairs } = state.selection;
  // Plain numbers: another head of the same texts must not draw all thumbnails again.
  const split = computed(() => {
    const { boundary } = state.heads.reading.value;
    return boundary === null ? null : boundary / state.sides.value.keys.length;
  });
  const rows = computed(() => state.site.value?.rows);
  const columns = computed(() => state.site.value?.columns);
  return computed(() => {
    if (pairs.value === 'all' || split.value === null) {
      return null;
    }
    const region = regionOf(pairs.value, split.value);
    const focused = { rows: rows.value, columns: columns.value };
    return site => {
      const own = state.trace.peek()?.sites[site];
      return own?.rows === focused.rows && own?.columns === focused.columns ? region : null;
    };
  });
}
