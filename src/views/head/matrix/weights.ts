import { computed, type ReadonlySignal } from '@preact/signals';
import { weightIn, type Viewport, type Piece } from '../../../draw/tiles';
import { TILE_ONE, type PayloadKey } from '../../../protocol/messages';
import { axisOf, type Axis } from '../../../state/heads/axis';
import { levelFor, pooled, tilesIn, topLevel, type TilePosition } from '../../../state/heads/tiles';
import { firstHead } from '../../../state/heads/weights';
import type { Load, Numbers } from '../../../state/kernel/payload-cache';
import { TILE } from '../../../state/kernel/payload-key';
import type { PanelState } from '../../../state/panel/panel';

/** A weight, or the largest of `side` × `side` weights that share a pixel. */
export interface MatrixCell {
  weight: number;
  exact: boolean;
  side: number;
}

/** The weights of the focused head at any zoom: the whole matrix, or tiles of a long one. */
export class MatrixWeights {
  readonly rows: ReadonlySignal<Axis>;
  readonly columns: ReadonlySignal<Axis>;
  private readonly whole: ReadonlySignal<Numbers | null>;

  constructor(private readonly state: PanelState) {
    const { heads, sides } = state;
    // Tiles contain all tokens, so that the axes of a long head are tokens, not words.
    const tokens = (side: 'queries' | 'keys') =>
      computed(() =>
        heads.long.value ? axisOf(sides.value[side], () => true, false) : heads.axes.value[side]
      );
    this.rows = tokens('queries');
    this.columns = tokens('keys');
    this.whole = computed(() => {
      const load = heads.load.value;
      if (heads.long.value) {
        return null;
      }
      return load.state === 'ready' && heads.axes.value.isIdentity && !heads.axes.value.hidden
        ? load.payload
        : weightsShown(state);
    });
  }

  /** Whether all weights in a viewport are loaded. */
  status(viewport: ReadonlySignal<Viewport>): ReadonlySignal<Load['state']> {
    const tiles = this.tiles(viewport);
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

  /** The pieces to draw in a viewport, coarse ones first; a subscription requests the tiles. */
  pieces(viewport: ReadonlySignal<Viewport>): ReadonlySignal<readonly Piece[]> {
    const level = computed(() =>
      levelFor(viewport.value.cell * (globalThis.devicePixelRatio || 1))
    );
    const whole = computed(() => this.whole.value && pooled(this.whole.value, level.value));
    const tiles = this.tiles(viewport);
    return computed(() => {
      if (!this.state.heads.long.value) {
        return whole.value ? [piece(whole.value, { level: level.value, y: 0, x: 0 })] : [];
      }
      const { rows, columns } = viewport.value;
      const under: Piece[] = [];
      const thumbnail = this.thumbnail.value;
      if (thumbnail) {
        under.push({ top: 0, left: 0, bottom: rows, right: columns, grid: thumbnail, one: 255 });
      }
      if (tiles.value.some(({ load }) => load.state !== 'ready')) {
        for (let coarser = topLevel(rows, columns); coarser > level.value; coarser--) {
          under.push(...this.loaded(viewport.value, coarser));
        }
      }
      return [
        ...under,
        ...tiles.value.flatMap(({ load, place }) =>
          load.state === 'ready' ? [piece(load.payload, place)] : []
        )
      ];
    });
  }

  /** The weight of a cell: exact where known, or else from the finest piece. */
  at(row: number, column: number, pieces: readonly Piece[]): MatrixCell | null {
    const { heads } = this.state;
    const weights = heads.focused.value;
    if (weights && heads.axes.value.isIdentity && weights.known(row, column) === 'exact') {
      return { weight: weights.at(row, column), exact: true, side: 1 };
    }
    if (weights && !heads.long.value) {
      const exact = weights.known(row, column) === 'exact';
      return { weight: weights.at(row, column), exact, side: 1 };
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

  /** The thumbnail of the focused head. */
  private readonly thumbnail = computed((): Numbers | null => {
    const load = this.state.thumbnails.value;
    const [site, trace] = [this.state.site.value, this.state.trace.value];
    if (load.state !== 'ready' || !site || !trace) {
      return null;
    }
    const [, rows = 0, columns = 0] = load.payload.shape;
    const at = firstHead(trace, site.index) + this.state.selection.focus.value.head;
    const data = load.payload.data.subarray(at * rows * columns, (at + 1) * rows * columns);
    return { shape: [rows, columns], data };
  });

  private tiles(viewport: ReadonlySignal<Viewport>) {
    const payloadKeys = computed(() => {
      const { cell } = viewport.value;
      const level = levelFor(cell * (globalThis.devicePixelRatio || 1));
      return this.state.heads.long.value ? this.payloadKeys(viewport.value, level) : [];
    });
    const { payloads } = this.state;
    return computed(() =>
      payloadKeys.value.map(({ payloadKey, place }) => ({
        place,
        load: payloads.want(payloadKey).value
      }))
    );
  }

  /** The tiles of a level that are already loaded. */
  private loaded(viewport: Viewport, level: number): Piece[] {
    const { payloads } = this.state;
    return this.payloadKeys(viewport, level).flatMap(({ payloadKey, place }) => {
      const load = payloads.has(payloadKey) ? payloads.want(payloadKey).peek() : null;
      return load?.state === 'ready' ? [piece(load.payload, place)] : [];
    });
  }

  private payloadKeys({ cell, x, y, width, height, rows, columns }: Viewport, level: number) {
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
      const payloadKey: PayloadKey = { kind: 'tile', ...whose, ...place };
      return { payloadKey, place };
    });
  }
}

/** A tile at its position; at the ends of the matrix it can extend beyond the last weight. */
function piece(grid: Numbers, { level, y, x }: TilePosition): Piece {
  const [rows = 0, columns = 0] = grid.shape;
  const [top, left, side] = [y * TILE * 2 ** level, x * TILE * 2 ** level, 2 ** level];
  const [bottom, right] = [top + rows * side, left + columns * side];
  return { top, left, bottom, right, grid, one: grid.data instanceof Uint8Array ? TILE_ONE : 1 };
}

/** The weights of the focused head in its visible rows and columns. */
function weightsShown(state: PanelState): Numbers | null {
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
