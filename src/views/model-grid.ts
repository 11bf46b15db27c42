import type { Focus } from '../protocol/messages';
import type { ModelHead, ScoredHead } from '../state/ordering';
import {
  headHeight,
  LABELS,
  leftsOf,
  lineHeight,
  rowHeight,
  TOP,
  type Lines,
  type Sizes
} from './model-layout';
import { neighbour, neighbourInLines, headsIn, type LayerGroup, type LayerRow } from './rows';

/** What stands in the model view, and where: in pixels of what is scrolled. */
export interface ModelGrid {
  /** What stands in it: the same object at any zoom. */
  readonly content: object;
  /** The heads that are shown, in order. */
  readonly heads: readonly ModelHead[];
  /** How large all of it is. */
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  /** Side of a thumbnail. */
  readonly side: number;
  /** The head that a key leads to from another; null for a key that leads nowhere. */
  next(from: Focus, key: string, far: boolean): Focus | null;
  /** Where a head's row begins. */
  topOf(head: Focus): number;
  /** The upper left corner of the thumbnail of the head of this number. */
  cornerOf(head: number): Point;
  /** What is at a point, and the point at which it is; the two are each other's inverse. */
  spotAt(point: Point): Spot;
  pointOf(spot: Spot): Point;
}

export interface Point {
  x: number;
  y: number;
}

/** A point of the grid by what is there: the same at any zoom. */
export interface Spot {
  down: Along;
  across: Along;
}

/** Which of an axis' tracks, and how far: parts of the thumbnail, and past it pixels more than 1. */
interface Along {
  track: number;
  past: number;
}

/** A stretch of an axis; its first `side` pixels are a thumbnail's, and grow with the zoom. */
interface Track {
  start: number;
  side: number;
}

/** Layers as rows, in a group for each stack. */
export class LayerGrid implements ModelGrid {
  readonly heads: readonly ModelHead[];
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly side: number;
  readonly content: object;
  /** Where each group's rows begin, in pixels and in rows of the grid, and their heights. */
  readonly placed: readonly {
    group: LayerGroup;
    from: number;
    index: number;
    heights: readonly number[];
  }[];
  private readonly down: readonly (Track & { lefts: readonly number[] })[];
  private readonly corners: readonly Point[];

  constructor(
    readonly groups: readonly LayerGroup[],
    { side, bars }: Sizes,
    labelled: boolean
  ) {
    this.side = side;
    this.content = groups;
    this.heads = groups.flatMap(({ rows }) => rows.flatMap(headsIn));
    let [y, row] = [0, 1];
    this.placed = groups.map(group => {
      const from = y + headHeight(labelled);
      const index = row;
      const heights = group.rows.map(({ site }) => rowHeight(site, side, bars !== null));
      y = heights.reduce((sum, height) => sum + height, from);
      row += 1 + heights.length;
      return { group, from, index, heights };
    });
    this.rows = row - 1;
    this.down = this.placed.flatMap(({ group, from, heights }) => {
      const lefts = (row: LayerRow | undefined) =>
        row?.site ? leftsOf(row.site, side, row.heads) : [];
      const some = lefts(group.rows.find(({ site }) => site));
      let start = from;
      const rows = group.rows.map((row, i) => {
        const track = { start, side: row.site ? side : 0, lefts: row.site ? lefts(row) : some };
        start += heights[i] ?? 0;
        return track;
      });
      return [{ start: from - headHeight(labelled), side: 0, lefts: some }, ...rows];
    });
    this.corners = this.down.flatMap(({ start, side, lefts }) =>
      side > 0 ? lefts.map(left => ({ x: LABELS + left, y: start })) : []
    );
    this.width = this.corners.reduce((most, { x }) => Math.max(most, x + side), LABELS);
    this.height = y;
  }

  next(from: Focus, key: string, far: boolean): Focus | null {
    return neighbour(this.groups, from, key, far);
  }

  topOf({ site }: Focus): number {
    for (const { group, from, heights } of this.placed) {
      const at = group.rows.findIndex(row => row.site?.index === site);
      if (at >= 0) {
        return heights.slice(0, at).reduce((sum, height) => sum + height, from);
      }
    }
    return 0;
  }

  cornerOf(head: number): Point {
    return this.corners[head] ?? { x: 0, y: 0 };
  }

  spotAt({ x, y }: Point): Spot {
    const down = along(this.down, y);
    return { down, across: along(this.across(down), x) };
  }

  pointOf({ down, across }: Spot): Point {
    return { x: pixel(this.across(down), across), y: pixel(this.down, down) };
  }

  private across({ track }: Along): Track[] {
    const lefts = this.down[track]?.lefts ?? [];
    const labels = { start: 0, side: 0 };
    return [labels, ...lefts.map(left => ({ start: LABELS + left, side: this.side }))];
  }
}

/** All heads in order of a score, in lines of as many as fit. */
export class SortedGrid implements ModelGrid {
  readonly rows: number;
  readonly side: number;
  readonly content: object;
  /** How many stand in a line. */
  readonly columns: number;
  readonly width: number;
  readonly height: number;
  /** From one line to the next. */
  private readonly line: number;

  constructor(
    readonly heads: readonly ScoredHead[],
    readonly lines: Lines,
    sizes: Sizes
  ) {
    this.side = lines.side;
    this.content = heads;
    this.columns = lines.across;
    this.rows = Math.ceil(heads.length / lines.across);
    this.line = lineHeight(sizes);
    this.width = (this.columns - 1) * lines.pitch + lines.side;
    this.height = TOP + this.rows * this.line;
  }

  next(from: Focus, key: string, far: boolean): Focus | null {
    return neighbourInLines(this.heads, this.columns, from, key, far);
  }

  topOf({ site, head }: Focus): number {
    const at = this.heads.findIndex(of => of.site === site && of.head === head);
    return TOP + Math.floor(Math.max(0, at) / this.columns) * this.line;
  }

  cornerOf(head: number): Point {
    return {
      x: (head % this.columns) * this.lines.pitch,
      y: TOP + Math.floor(head / this.columns) * this.line
    };
  }

  // Lines are broken anew at each zoom: a head is found by its place in the order.
  spotAt({ x, y }: Point): Spot {
    const { side, pitch } = this.lines;
    const [line, column] = [Math.max(0, Math.floor((y - TOP) / this.line)), Math.floor(x / pitch)];
    const track = line * this.columns + Math.max(0, Math.min(column, this.columns - 1));
    const within = (at: number, start: number): Along => ({ track, past: past(at - start, side) });
    return {
      down: within(y, TOP + line * this.line),
      across: within(x, (track % this.columns) * pitch)
    };
  }

  pointOf({ down, across }: Spot): Point {
    const { side, pitch } = this.lines;
    return {
      x: (across.track % this.columns) * pitch + pixels(across.past, side),
      y: TOP + Math.floor(down.track / this.columns) * this.line + pixels(down.past, side)
    };
  }
}

function along(tracks: readonly Track[], at: number): Along {
  const track = Math.max(
    0,
    tracks.findLastIndex(({ start }) => start <= at)
  );
  const { start = 0, side = 0 } = tracks[track] ?? {};
  return { track, past: past(at - start, side) };
}

function pixel(tracks: readonly Track[], { track, past }: Along): number {
  const { start = 0, side = 0 } = tracks[track] ?? {};
  return start + pixels(past, side);
}

function past(pixels: number, side: number): number {
  return pixels < side ? pixels / side : 1 + pixels - side;
}

function pixels(past: number, side: number): number {
  return past < 1 ? past * side : side + past - 1;
}
