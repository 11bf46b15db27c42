import { computed, type ReadonlySignal } from '@preact/signals-core';
import type { SiteSummary, TraceSummary } from '../../protocol/messages';
import type { Selection } from '../view-state/selection';
import type { Heads } from '../heads/heads';
import { regionOf, type Region } from '../text/sentences';
import type { Sides } from '../text/tokens';

/** The visible region of a site's thumbnails; null for all. */
export type ThumbnailRegions = (site: number) => Region | null;

/** The state that the regions depend on. */
export interface RegionSources {
  selection: Selection;
  trace: ReadonlySignal<TraceSummary | null>;
  site: ReadonlySignal<SiteSummary | null>;
  sides: ReadonlySignal<Sides>;
  heads: Heads;
}

/**
 * Returns the region of each site's thumbnails that the sentence filter selects; null without a
 * filter. Sites whose rows or columns are other sequences than the focused site's are not
 * filtered.
 */
export function thumbnailRegions(state: RegionSources): ReadonlySignal<ThumbnailRegions | null> {
  const { pairs } = state.selection;
  // Primitive values, so that selecting another head of the same texts redraws nothing.
  const split = computed(() => {
    const { boundary } = state.heads.axes.value;
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
      const other = state.trace.peek()?.sites[site];
      return other?.rows === focused.rows && other?.columns === focused.columns ? region : null;
    };
  });
}
