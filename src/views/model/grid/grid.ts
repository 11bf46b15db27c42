import type { Focus } from '../../../protocol/messages';
import type { ModelHead } from '../../../state/heads/ranking';

/** The positions of all thumbnails of the model view, in CSS pixels of the scrolled content. */
export interface ModelGrid {
  /** Identifies the content: the same object at every zoom. */
  readonly content: object;
  /** The visible heads, in order. */
  readonly heads: readonly ModelHead[];
  readonly width: number;
  readonly height: number;
  /** Number of rows, including those of column headers. */
  readonly rows: number;
  /** Side of a thumbnail. */
  readonly side: number;
  /**
   * The head to which a key moves the focus; null for other keys.
   *
   * @param far - Whether Home and End go to the first and last head of the whole grid.
   */
  next(from: Focus, key: string, far: boolean): Focus | null;
  /** The top edge of a head's row. */
  topOf(head: Focus): number;
  /** The upper left corner of the thumbnail at this index of `heads`. */
  cornerOf(index: number): Point;
  /** The anchor at a point. */
  anchorAt(point: Point): Anchor;
  /** The point of an anchor: the inverse of `anchorAt`. */
  pointOf(anchor: Anchor): Point;
}

export interface Point {
  x: number;
  y: number;
}

/** A point of the grid relative to its content, which is the same at every zoom. */
export interface Anchor {
  down: AxisAnchor;
  across: AxisAnchor;
}

/** A position on one axis. */
export interface AxisAnchor {
  track: number;
  /** From 0 to 1 across the thumbnail; beyond it, 1 plus the distance in pixels. */
  past: number;
}

/** A row or column; its first `side` pixels are a thumbnail, which scales with the zoom. */
export interface Track {
  start: number;
  side: number;
}

/** The anchor at a pixel of an axis. */
export function anchorOn(tracks: readonly Track[], at: number): AxisAnchor {
  const track = Math.max(
    0,
    tracks.findLastIndex(({ start }) => start <= at)
  );
  const { start = 0, side = 0 } = tracks[track] ?? {};
  return { track, past: pastOf(at - start, side) };
}

/** The pixel of an anchor: the inverse of `anchorOn`. */
export function pixelOn(tracks: readonly Track[], { track, past }: AxisAnchor): number {
  const { start = 0, side = 0 } = tracks[track] ?? {};
  return start + pixelsOf(past, side);
}

/** `AxisAnchor.past` of a distance from the start of a track. */
export function pastOf(pixels: number, side: number): number {
  return pixels < side ? pixels / side : 1 + pixels - side;
}

/** The inverse of `pastOf`. */
export function pixelsOf(past: number, side: number): number {
  return past < 1 ? past * side : side + past - 1;
}
