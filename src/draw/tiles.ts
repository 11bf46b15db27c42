import type { Palette } from './palette';

/** Weights as received: float32 or bytes. */
export interface Grid {
  shape: readonly number[];
  data: Float32Array | Uint8Array;
}

/** A grid and its position in a matrix, in rows and columns of weights. */
export interface Piece {
  /** The value for a weight of 1; larger bytes mean NaN. */
  one: number;
  top: number;
  left: number;
  bottom: number;
  right: number;
  grid: Grid;
}

/** The visible part of a matrix, in CSS pixels; `rows` and `columns` count weights. */
export interface Viewport {
  /** Side of one weight. */
  cell: number;
  /** The point of the matrix in the upper left corner. */
  x: number;
  y: number;
  width: number;
  height: number;
  rows: number;
  columns: number;
}

/** A row, a column, or both; -1 for none. */
export interface Mark {
  row: number;
  column: number;
  /** Whether it is selected; hovered marks are weaker. */
  kept: boolean;
}

/** Draws pieces in order, each above the previous ones. */
export function drawPieces(
  canvas: HTMLCanvasElement,
  pieces: readonly Piece[],
  viewport: Viewport,
  palette: Palette
): void {
  const context = sized(canvas, viewport);
  if (!context) {
    return;
  }
  const scale = devicePixelRatio || 1;
  const at = (weights: number, from: number): number =>
    Math.round((weights * viewport.cell - from) * scale);
  context.save();
  context.beginPath();
  context.rect(0, 0, at(viewport.columns, viewport.x), at(viewport.rows, viewport.y));
  context.clip();
  context.imageSmoothingEnabled = false;
  for (const piece of pieces) {
    const { top, left, bottom, right } = piece;
    const [x, y] = [at(left, viewport.x), at(top, viewport.y)];
    const [width, height] = [at(right, viewport.x) - x, at(bottom, viewport.y) - y];
    if (x >= canvas.width || y >= canvas.height || x + width <= 0 || y + height <= 0) {
      continue;
    }
    const { image, holes } = colored(piece, palette.ramp);
    if (holes) {
      context.clearRect(x, y, width, height);
      context.fillStyle = hatching(context, palette.mark) ?? 'transparent';
      context.fillRect(x, y, width, height);
    }
    context.drawImage(image, x, y, width, height);
  }
  context.restore();
}

/** Draws frames around the hovered and selected rows and columns. */
export function drawMarks(
  canvas: HTMLCanvasElement,
  marks: readonly Mark[],
  viewport: Viewport,
  color: string
): void {
  const context = sized(canvas, viewport);
  if (!context) {
    return;
  }
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = color;
  const side = Math.max(viewport.cell, 2);
  const [right, bottom] = [
    viewport.columns * viewport.cell - viewport.x,
    viewport.rows * viewport.cell - viewport.y
  ];
  for (const { row, column, kept } of marks) {
    context.lineWidth = kept ? 2 : 1;
    context.setLineDash(kept ? [] : [4, 3]);
    const [x, y] = [column * viewport.cell - viewport.x, row * viewport.cell - viewport.y];
    if (row >= 0) {
      context.strokeRect(-viewport.x - 0.5, y - 0.5, right + viewport.x + 1, side + 1);
    }
    if (column >= 0) {
      context.strokeRect(x - 0.5, -viewport.y - 0.5, side + 1, bottom + viewport.y + 1);
    }
  }
  context.setLineDash([]);
}

/** Sizes a canvas to whole device pixels and clears it; null if it has no area. */
function sized(
  canvas: HTMLCanvasElement,
  { width, height }: Viewport
): CanvasRenderingContext2D | null {
  const scale = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    [canvas.width, canvas.height] = [across, down];
  }
  const context = across > 0 && down > 0 ? canvas.getContext('2d') : null;
  context?.setTransform(1, 0, 0, 1, 0, 0);
  context?.clearRect(0, 0, across, down);
  return context;
}

interface Colored {
  ramp: Uint32Array;
  image: OffscreenCanvas;
  /** Whether any weight is NaN; its pixel is transparent. */
  holes: boolean;
}

/** Images of grids, one for each grid and palette. */
const images = new WeakMap<Grid, Colored>();

function colored(piece: Piece, ramp: Uint32Array): Colored {
  const { grid } = piece;
  const known = images.get(grid);
  if (known?.ramp === ramp) {
    return known;
  }
  const [rows = 0, columns = 0] = grid.shape;
  const image = new OffscreenCanvas(Math.max(1, columns), Math.max(1, rows));
  const pixels = new ImageData(image.width, image.height);
  const holes = paint(piece, ramp, new Uint32Array(pixels.data.buffer));
  image.getContext('2d')?.putImageData(pixels, 0, 0);
  const made = { ramp, image, holes };
  images.set(grid, made);
  return made;
}

/** A weight of a piece's grid. */
export function weightIn({ grid: { data }, one }: Pick<Piece, 'grid' | 'one'>, at: number): number {
  const entry = data[at] ?? NaN;
  return data instanceof Uint8Array && entry > one ? NaN : entry / one;
}

/**
 * Writes the colors of a grid as RGBA words, 0 for NaN.
 *
 * @returns Whether any weight is NaN.
 */
export function paint(
  piece: Pick<Piece, 'grid' | 'one'>,
  ramp: Uint32Array,
  words: Uint32Array
): boolean {
  let holes = false;
  for (let i = 0; i < piece.grid.data.length; i++) {
    const weight = weightIn(piece, i);
    if (Number.isNaN(weight)) {
      holes = true;
      words[i] = 0;
    } else {
      words[i] = ramp[Math.max(0, Math.min(255, Math.round(weight * 255)))] ?? 0;
    }
  }
  return holes;
}

/** Diagonal strokes for NaN. */
function hatching(context: CanvasRenderingContext2D, color: string): CanvasPattern | null {
  const pattern = new OffscreenCanvas(6, 6);
  const pen = pattern.getContext('2d');
  if (pen) {
    pen.globalAlpha = 0.6;
    pen.strokeStyle = color;
    pen.beginPath();
    for (const from of [-6, 0, 6]) {
      pen.moveTo(from, 6);
      pen.lineTo(from + 6, 0);
    }
    pen.stroke();
  }
  return context.createPattern(pattern, 'repeat');
}
