import type { Focus } from '../../../protocol/messages';
import { headsIn, type LayerGroup, type LayerRow } from '../../../state/heads/layer-groups';
import type { ModelHead } from '../../../state/heads/ranking';
import {
  anchorOn,
  pixelOn,
  type Anchor,
  type AxisAnchor,
  type ModelGrid,
  type Point,
  type Track
} from './grid';
import { neighbor } from './keyboard';
import { headHeight, LABELS, leftsOf, rowHeight, type Sizes } from './layout';

/** The position of a group of layers. */
interface PlacedGroup {
  group: LayerGroup;
  /** Top edge of the group's rows. */
  from: number;
  /** Number of the group's row of column headers in the grid, from 1. */
  index: number;
  heights: readonly number[];
}

/** Layers as rows, in one group for each stack. */
export class LayerGrid implements ModelGrid {
  readonly heads: readonly ModelHead[];
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly side: number;
  readonly content: object;
  readonly placed: readonly PlacedGroup[];
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
    this.height = y;
    this.down = this.placed.flatMap(placed => tracksOf(placed, side, headHeight(labelled)));
    this.corners = this.down.flatMap(({ start, side, lefts }) =>
      side > 0 ? lefts.map(left => ({ x: LABELS + left, y: start })) : []
    );
    this.width = this.corners.reduce((most, { x }) => Math.max(most, x + side), LABELS);
  }

  next(from: Focus, key: string, far: boolean): Focus | null {
    return neighbor(this.groups, from, key, far);
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

  cornerOf(index: number): Point {
    return this.corners[index] ?? { x: 0, y: 0 };
  }

  anchorAt({ x, y }: Point): Anchor {
    const down = anchorOn(this.down, y);
    return { down, across: anchorOn(this.across(down), x) };
  }

  pointOf({ down, across }: Anchor): Point {
    return { x: pixelOn(this.across(down), across), y: pixelOn(this.down, down) };
  }

  /** The columns of a row. */
  private across({ track }: AxisAnchor): Track[] {
    const lefts = this.down[track]?.lefts ?? [];
    const labels = { start: 0, side: 0 };
    return [labels, ...lefts.map(left => ({ start: LABELS + left, side: this.side }))];
  }
}

/** The rows of a group, its headers first; rows without thumbnails have the columns of others. */
function tracksOf({ group, from, heights }: PlacedGroup, side: number, headers: number) {
  const lefts = (row: LayerRow | undefined) =>
    row?.site ? leftsOf(row.site, side, row.heads) : [];
  const some = lefts(group.rows.find(({ site }) => site));
  let start = from;
  const rows = group.rows.map((row, i) => {
    const track = { start, side: row.site ? side : 0, lefts: row.site ? lefts(row) : some };
    start += heights[i] ?? 0;
    return track;
  });
  return [{ start: from - headers, side: 0, lefts: some }, ...rows];
}
