import type { SiteSummary } from '../protocol/messages';
import type { Stretch } from '../draw/window';
import type { LayerRow } from './rows';

/** Space between thumbnails, in pixels; as much again parts groups of heads that share keys. */
export const GAP = 4;

/** Width of the layers' labels; and the padding beside and below the grid: as in `style/model.css`. */
export const LABELS = 20;
export const INSET = 10;
export const BELOW = 6;

/** Space above heads in order of a score. */
export const TOP = 4;

/** Height of a layer without attention, of a heading, and of the heads' numbers, in pixels. */
const EMPTY = 14;
const HEADING = 18;
const NUMBERS = 15;

/** Height of a bar, and of the label under a thumbnail. */
export const BAR = 4;
export const LABEL = 22;

/** Width that a label under a thumbnail takes at least. */
const LABEL_WIDTH = 30;

/** Side of a thumbnail, in pixels: as large as the panel is wide, within these bounds. */
const SMALLEST = 16;
const LARGEST = 52;

/** Side of a thumbnail in order of a score, where as many stand in a line as fit. */
const SORTED = 40;

/** With more heads than this, only those in view and nearly so are in the page. */
const ALL = 800;

/** Pixels past the view in which rows are in the page. */
const BEYOND = 200;

/** Which of a site's groups of heads that share keys a head is in; 0 where they do not. */
function partOf({ heads, groups }: SiteSummary, head: number): number {
  return groups > 1 && groups < heads ? Math.floor(head / (heads / groups)) : 0;
}

/** Left edges of the thumbnails of some of a site's heads, in pixels. */
export function leftsOf(site: SiteSummary, side: number, heads: readonly number[]): number[] {
  let gaps = 0;
  return heads.map((head, i) => {
    gaps += i > 0 && partOf(site, head) !== partOf(site, heads[i - 1] ?? head) ? GAP : 0;
    return i * (side + GAP) + gaps;
  });
}

/** Side of the thumbnails of these rows in a panel with so much room. */
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

/** Thumbnails in order of a score: their side, their distance, and how many stand in a line. */
export interface Lines {
  side: number;
  pitch: number;
  across: number;
}

export function linesOf(room: number, zoom: number): Lines {
  const side = Math.round(SORTED * zoom);
  const pitch = Math.max(side, LABEL_WIDTH) + GAP;
  return { side, pitch, across: Math.max(1, Math.floor((room + GAP) / pitch)) };
}

/** What the height of a row depends on. */
export interface Sizes {
  side: number;
  /** What bars under the thumbnails tell; null for none. */
  bars: object | null;
}

/** Height of a line of thumbnails with their labels. */
export function lineHeight({ side, bars }: Sizes): number {
  return side + LABEL + GAP + (bars ? BAR : 0);
}

/** Height of a layer's row. */
export function rowHeight(site: SiteSummary | null, side: number, bars: boolean): number {
  return site ? side + GAP + (bars ? BAR : 0) : EMPTY;
}

/** Height of what stands above a group's rows. */
export function headHeight(labelled: boolean): number {
  return NUMBERS + (labelled ? HEADING : 0);
}

/** The part of the scrolled content whose rows are in the page; null for all of it. */
export interface Band {
  top: number;
  bottom: number;
}

/** In steps, so that most scroll events change nothing. */
export function bandOf(heads: number, top: number, height: number): Band | null {
  if (heads <= ALL) {
    return null;
  }
  const start = Math.floor(top / BEYOND) * BEYOND - BEYOND;
  return { top: start, bottom: start + Math.ceil(height / BEYOND) * BEYOND + 3 * BEYOND };
}

/** Which of consecutive rows, the first of them at `from`, are in a band. */
export function rowsIn(band: Band | null, heights: readonly number[], from: number): Stretch {
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
