import { computed, type ReadonlySignal } from '@preact/signals';
import { weightIn, type Lens, type Piece } from '../draw/tiles';
import { TILE_ONE } from '../protocol/messages';
import { axisOf, type Axis } from '../state/axis';
import type { PanelState } from '../state/panel';
import type { Load, Numbers, Wish } from '../state/pictures';
import { levelFor, pooled, tilesIn, topLevel, type Place } from '../state/tiles';
import { firstHead } from '../state/weights';
import { TILE } from '../state/wish';

/** A weight, or the largest of `side` × `side` weights. */
export interface Cell {
  weight: number;
  exact: boolean;
  side: number;
}

/** One head's weights as they are drawn at one zoom. */
export class MatrixCells {
  readonly rows: ReadonlySignal<Axis>;
  readonly columns: ReadonlySignal<Axis>;
  private readonly whole: ReadonlySignal<Numbers | null>;

  constructor(private readonly state: PanelState) {
    const { heads, sides } = state;
    // Tiles are of all tokens: a long head is shown token by token.
    const tokens = (side: 'queries' | 'keys') =>
      computed(() =>
        heads.long.value ? axisOf(sides.value[side], () => true, false) : heads.reading.value[side]
      );
    this.rows = tokens('queries');
    this.columns = tokens('keys');
    this.whole = computed(() => {
      const load = heads.load.value;
      if (heads.long.value) {
        return null;
      }
      return load.state === 'ready' && heads.reading.value.plain && !heads.reading.value.hidden
        ? load.picture
        : listed(state);
    });
  }

  /** Whether what is seen at a lens is as good as it gets, and why not where it failed. */
  status(lens: ReadonlySignal<Lens>): ReadonlySignal<Load['state']> {
    const tiles = this.tiles(lens);
    return computed(() => {
      const loads = this.state.heads.long.value
        ? tiles.value.map(({ load }) => load)
        : [this.state.heads.load.value];
      return loads.some(({ state }) => state === 'failed')
        ? 'failed'
        : loads.some(({ state }) => state === 'pending')
          ? 'pending'
          : 'ready';
    });
  }

  /** What is to be drawn at a lens, coarse before fine; to watch it is to ask for its tiles. */
  pieces(lens: ReadonlySignal<Lens>): ReadonlySignal<readonly Piece[]> {
    const level = computed(() => levelFor(lens.value.cell * (globalThis.devicePixelRatio || 1)));
    const whole = computed(() => this.whole.value && pooled(this.whole.value, level.value));
    const tiles = this.tiles(lens);
    return computed(() => {
      if (!this.state.heads.long.value) {
        return whole.value ? [piece(whole.value, { level: level.value, y: 0, x: 0 })] : [];
      }
      const { rows, columns } = lens.value;
      const under: Piece[] = [];
      const thumbnail = this.thumbnail.value;
      if (thumbnail) {
        under.push({ top: 0, left: 0, bottom: rows, right: columns, grid: thumbnail, one: 255 });
      }
      if (tiles.value.some(({ load }) => load.state !== 'ready')) {
        for (let coarser = topLevel(rows, columns); coarser > level.value; coarser--) {
          under.push(...this.held(lens.value, coarser));
        }
      }
      return [
        ...under,
        ...tiles.value.flatMap(({ load, place }) =>
          load.state === 'ready' ? [piece(load.picture, place)] : []
        )
      ];
    });
  }

  /** The weight of a row and a column, or the largest beside it, as the pieces have it. */
  at(row: number, column: number, pieces: readonly Piece[]): Cell | null {
    const { heads } = this.state;
    const own = heads.focused.value;
    if (own && heads.reading.value.plain && own.known(row, column) === 'exact') {
      return { weight: own.at(row, column), exact: true, side: 1 };
    }
    if (own && !heads.long.value) {
      const exact = own.known(row, column) === 'exact';
      return { weight: own.at(row, column), exact, side: 1 };
    }
    for (const piece of [...pieces].reverse()) {
      const { top, left, bottom, right, grid } = piece;
      if (row >= top && row < bottom && column >= left && column < right) {
        const [down = 1, across = 1] = grid.shape;
        const side = (bottom - top) / down;
        const y = Math.floor((row - top) / side);
        const x = Math.floor(((column - left) * across) / (right - left));
        const exact = grid.data instanceof Float32Array;
        return { weight: weightIn(piece, y * across + x), exact, side: Math.ceil(side) };
      }
    }
    return null;
  }

  /** The focused head's thumbnail. */
  private readonly thumbnail = computed((): Numbers | null => {
    const load = this.state.thumbnails.value;
    const [site, trace] = [this.state.site.value, this.state.trace.value];
    if (load.state !== 'ready' || !site || !trace) {
      return null;
    }
    const [, rows = 0, columns = 0] = load.picture.shape;
    const at = firstHead(trace, site.index) + this.state.selection.focus.value.head;
    const data = load.picture.data.subarray(at * rows * columns, (at + 1) * rows * columns);
    return { shape: [rows, columns], data };
  });

  private tiles(lens: ReadonlySignal<Lens>) {
    const wishes = computed(() => {
      const { cell } = lens.value;
      const level = levelFor(cell * (globalThis.devicePixelRatio || 1));
      return this.state.heads.long.value ? this.wishes(lens.value, level) : [];
    });
    const { pictures } = this.state;
    return computed(() =>
      wishes.value.map(({ wish, place }) => ({ place, load: pictures.want(wish).value }))
    );
  }

  /** Tiles of a level that are here already. */
  private held(lens: Lens, level: number): Piece[] {
    const { pictures } = this.state;
    return this.wishes(lens, level).flatMap(({ wish, place }) => {
      const load = pictures.has(wish) ? pictures.want(wish).peek() : null;
      return load?.state === 'ready' ? [piece(load.picture, place)] : [];
    });
  }

  private wishes({ cell, x, y, width, height, rows, columns }: Lens, level: number) {
    const [shown, site] = [this.state.shown.value, this.state.site.value];
    const { head } = this.state.selection.focus.value;
    if (!shown || !site || width === 0 || height === 0) {
      return [];
    }
    const part = {
      top: y / cell,
      left: x / cell,
      bottom: (y + height) / cell,
      right: (x + width) / cell
    };
    return tilesIn(part, rows, columns, level).map(place => {
      const whose = { trace: shown.trace.id, item: shown.item, site: site.index, head };
      const wish: Wish = { kind: 'tile', ...whose, ...place };
      return { wish, place };
    });
  }
}

/** Where a tile stands: at a head's ends it may reach beyond the last weight. */
function piece(grid: Numbers, { level, y, x }: Place): Piece {
  const [rows = 0, columns = 0] = grid.shape;
  const [top, left, side] = [y * TILE * 2 ** level, x * TILE * 2 ** level, 2 ** level];
  const [bottom, right] = [top + rows * side, left + columns * side];
  return { top, left, bottom, right, grid, one: grid.data instanceof Uint8Array ? TILE_ONE : 1 };
}

/** The focused head by the rows and columns that are shown. */
function listed(state: PanelState): Numbers | null {
  const weights = state.heads.focused.value;
  if (!weights) {
    return null;
  }
  const { queries, keys } = weights;
  const data = new Float32Array(queries * keys);
  for (let query = 0, at = 0; query < queries; query++) {
    for (let key = 0; key < keys; key++, at++) {
      data[at] = weights.at(query, key);
    }
  }
  return { shape: [queries, keys], data };
}
