import type { Focus } from '../../../protocol/messages';
import type { ScoredHead } from '../../../state/heads/ranking';
import { pastOf, pixelsOf, type Anchor, type AxisAnchor, type ModelGrid, type Point } from './grid';
import { sortedNeighbor } from './keyboard';
import { sortedRowHeight, TOP, type Sizes, type SortedLayout } from './layout';

/** All heads sorted by a score, as many in a row as fit. */
export class SortedGrid implements ModelGrid {
  readonly rows: number;
  readonly side: number;
  readonly content: object;
  /** Heads in a row. */
  readonly columns: number;
  readonly width: number;
  readonly height: number;
  private readonly rowHeight: number;

  constructor(
    readonly heads: readonly ScoredHead[],
    readonly layout: SortedLayout,
    sizes: Sizes
  ) {
    this.side = layout.side;
    this.content = heads;
    this.columns = layout.columns;
    this.rows = Math.ceil(heads.length / layout.columns);
    this.rowHeight = sortedRowHeight(sizes);
    this.width = (this.columns - 1) * layout.pitch + layout.side;
    this.height = TOP + this.rows * this.rowHeight;
  }

  next(from: Focus, key: string, far: boolean): Focus | null {
    return sortedNeighbor(this.heads, this.columns, from, key, far);
  }

  topOf({ site, head }: Focus): number {
    const at = this.heads.findIndex(of => of.site === site && of.head === head);
    return TOP + Math.floor(Math.max(0, at) / this.columns) * this.rowHeight;
  }

  cornerOf(index: number): Point {
    return {
      x: (index % this.columns) * this.layout.pitch,
      y: TOP + Math.floor(index / this.columns) * this.rowHeight
    };
  }

  // Each zoom has other rows, so that an anchor is the index of a head, not a row and a column.
  anchorAt({ x, y }: Point): Anchor {
    const { side, pitch } = this.layout;
    const row = Math.max(0, Math.floor((y - TOP) / this.rowHeight));
    const column = Math.max(0, Math.min(Math.floor(x / pitch), this.columns - 1));
    const track = row * this.columns + column;
    const within = (at: number, start: number): AxisAnchor => ({
      track,
      past: pastOf(at - start, side)
    });
    const { x: left, y: top } = this.cornerOf(track);
    return { down: within(y, top), across: within(x, left) };
  }

  pointOf({ down, across }: Anchor): Point {
    const { side } = this.layout;
    return {
      x: this.cornerOf(across.track).x + pixelsOf(across.past, side),
      y: this.cornerOf(down.track).y + pixelsOf(down.past, side)
    };
  }
}
