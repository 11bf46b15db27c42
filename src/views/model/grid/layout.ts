import type { RowRange } from '../../../draw/visible-rows';
import type { SiteSummary } from '../../../protocol/messages';
import type { LayerRow } from '../../../state/heads/layer-groups';

/** Space between thumbnails, in pixels; doubled between groups of heads that share keys. */
export const GAP = 4;

/** Width of the layer labels, and padding beside and below the grid; as in `style/model.css`. */
export const LABELS = 20;
export const INSET = 10;
export const BELOW = 6;

/** Space above sorted heads. */
export const TOP = 4;

/** Heights of a layer without attention, of a heading and of the column headers, in pixels. */
const EMPTY = 14;
const HEADING = 18;
const NUMBERS = 15;

/** Heights of a score bar and of the label under a thumbnail, in pixels. */
export const BAR = 4;
export const LABEL = 22;

/** Minimum width of a label under a thumbnail. */
const LABEL_WIDTH = 30;

/** Bounds of the side of a thumbnail at zoom 1, in pixels; within them, a row fills the panel. */
const SMALLEST = 16;
const LARGEST = 52;

/** Side of a sorted thumbnail at zoom 1, in pixels. */
const SORTED = 40;

/** With more heads than this, only rows near the viewport are in the DOM. */
const ALL = 800;

/** Distance from the viewport within which rows are in the DOM, in pixels. */
const BEYOND = 200;

/** The index of a head's group among groups that share keys; 0 without sharing. */
function partOf({ heads, groups }: SiteSummary, head: number): number {
  return groups > 1 && groups < heads ? Math.floor(head / (heads / groups)) : 0;
}

/** Left edges of the thumbnails of these heads of a site, in pixels. */
export function leftsOf(site: SiteSummary, side: number, heads: readonly number[]): number[] {
  let gaps = 0;
  return heads.map((head, i) => {
    gaps += i > 0 && partOf(site, head) !== partOf(site, heads[i - 1] ?? head) ? GAP : 0;
    return i * (side + GAP) + gaps;
  });
}

/** Side of the thumbnails in these rows, in pixels. */
export function sideOf(
  rows: readonly Pick<LayerRow, 'site' | 'heads'>[],
  room: number,
  zoom: number
): number {
  const fit = rows.flatMap(({ site, heads }) => {
    const gaps = site ? (leftsOf(site, 0, heads).at(-1) ?? 0) : 0;
    return site ? Math.floor((room - gaps) / heads.length) : [];
  });
  return Math.round(Math.max(SMALLEST, Math.min(LARGEST, ...fit)) * zoom);
}

/** Layout of sorted thumbnails. */
export interface SortedLayout {
  side: number;
  /** Distance between the left edges of two thumbnails. */
  pitch: number;
  /** Thumbnails in a row. */
  columns: number;
}

/** Fits sorted thumbnails into a width. */
export function sortedLayout(room: number, zoom: number): SortedLayout {
  const side = Math.round(SORTED * zoom);
  const pitch = Math.max(side, LABEL_WIDTH) + GAP;
  return { side, pitch, columns: Math.max(1, Math.floor((room + GAP) / pitch)) };
}

/** The sizes that determine the height of a row. */
export interface Sizes {
  side: number;
  /** The scores of the bars under the thumbnails; null for no bars. */
  bars: object | null;
}

/** Height of a row of sorted thumbnails with their labels. */
export function sortedRowHeight({ side, bars }: Sizes): number {
  return side + LABEL + GAP + (bars ? BAR : 0);
}

/** Height of a layer's row. */
export function rowHeight(site: SiteSummary | null, side: number, bars: boolean): number {
  return site ? side + GAP + (bars ? BAR : 0) : EMPTY;
}

/** Height of the headers above a group's rows. */
export function headHeight(labelled: boolean): number {
  return NUMBERS + (labelled ? HEADING : 0);
}

/** The part of the scrolled content whose rows are in the DOM, in pixels. */
export interface Band {
  top: number;
  bottom: number;
}

/**
 * The band for a scroll position; null for all content.
 *
 * It moves in steps, so that most scroll events return the same object as `before`.
 */
export function bandOf(
  heads: number,
  top: number,
  height: number,
  before: Band | null
): Band | null {
  if (heads <= ALL) {
    return null;
  }
  const start = Math.floor(top / BEYOND) * BEYOND - BEYOND;
  const end = start + Math.ceil(height / BEYOND) * BEYOND + 3 * BEYOND;
  return before?.top === start && before.bottom === end ? before : { top: start, bottom: end };
}

/** The rows that overlap a band; the first row is at `from`. */
export function rowsIn(band: Band | null, heights: readonly number[], from: number): RowRange {
  if (!band) {
    return { start: 0, end: heights.length };
  }
  let [start, end, y] = [heights.length, 0, from];
  heights.forEach((height, row) => {
    if (y + height > band.top && y < band.bottom) {
      start = Math.min(start, row);
      end = row + 1;
    }
    y += height;
  });
  return start < end ? { start, end } : { start: 0, end: 0 };
}
