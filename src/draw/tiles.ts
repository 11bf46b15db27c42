import type { Palette } from './palette';

/** Weights as they came: f32, or bytes. */
export interface Grid {
  shape: readonly number[];
  data: Float32Array | Uint8Array;
}

/** A grid that stands somewhere in a matrix; the places are in weights. */
export interface Piece {
  /** What of the grid is a weight of 1; a byte above it is NaN. */
  one: number;
  top: number;
  left: number;
  bottom: number;
  right: number;
  grid: Grid;
}

/** What of a matrix is seen, and how large: CSS pixels, save the matrix's own sides. */
export interface Lens {
  /** Side of one weight. */
  cell: number;
  /** Which point of the matrix is in the upper left corner. */
  x: number;
  y: number;
  width: number;
  height: number;
  rows: number;
  columns: number;
}

/** A row, a column or both: one of them may be -1. */
export interface Mark {
  row: number;
  column: number;
  /** Whether it is selected; what is hovered is fainter. */
  kept: boolean;
}

/** Draws pieces, each over those before it. */
export function drawPieces(
  canvas: HTMLCanvasElement,
  pieces: readonly Piece[],
  lens: Lens,
  palette: Palette
): void {
  const context = sized(canvas, lens);
  if (!context) {
    return;
  }
  const scale = devicePixelRatio || 1;
  const at = (weights: number, from: number): number =>
    Math.round((weights * lens.cell - from) * scale);
  context.save();
  context.beginPath();
  context.rect(0, 0, at(lens.columns, lens.x), at(lens.rows, lens.y));
  context.clip();
  context.imageSmoothingEnabled = false;
  for (const piece of pieces) {
    const { top, left, bottom, right } = piece;
    const [x, y] = [at(left, lens.x), at(top, lens.y)];
    const [width, height] = [at(right, lens.x) - x, at(bottom, lens.y) - y];
    if (x >= canvas.width || y >= canvas.height || x + width <= 0 || y + height <= 0) {
      continue;
    }
    const { image, holes } = coloured(piece, palette.ramp);
    if (holes) {
      context.clearRect(x, y, width, height);
      context.fillStyle = hatching(context, palette.mark) ?? 'transparent';
      context.fillRect(x, y, width, height);
    }
    context.drawImage(image, x, y, width, height);
  }
  context.restore();
}

/** Draws rows and columns that are hovered or selected, and nothing else. */
export function drawMarks(
  canvas: HTMLCanvasElement,
  marks: readonly Mark[],
  lens: Lens,
  colour: string
): void {
  const context = sized(canvas, lens);
  if (!context) {
    return;
  }
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = colour;
  const side = Math.max(lens.cell, 2);
  const [right, bottom] = [lens.columns * lens.cell - lens.x, lens.rows * lens.cell - lens.y];
  for (const { row, column, kept } of marks) {
    context.lineWidth = kept ? 2 : 1;
    context.setLineDash(kept ? [] : [4, 3]);
    const [x, y] = [column * lens.cell - lens.x, row * lens.cell - lens.y];
    if (row >= 0) {
      context.strokeRect(-lens.x - 0.5, y - 0.5, right + lens.x + 1, side + 1);
    }
    if (column >= 0) {
      context.strokeRect(x - 0.5, -lens.y - 0.5, side + 1, bottom + lens.y + 1);
    }
  }
  context.setLineDash([]);
}

/** A canvas of whole device pixels for a lens, cleared; null where it has no area. */
function sized(
  canvas: HTMLCanvasElement,
  { width, height }: Lens
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

interface Coloured {
  ramp: Uint32Array;
  image: OffscreenCanvas;
  /** Whether any weight is NaN: its pixel is left transparent. */
  holes: boolean;
}

/** Grids are coloured once for each palette, and forgotten with the grid. */
const images = new WeakMap<Grid, Coloured>();

function coloured(piece: Piece, ramp: Uint32Array): Coloured {
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
 * Writes a grid's colours as RGBA words, 0 for NaN.
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

/** Diagonal strokes, for what is no number. */
function hatching(context: CanvasRenderingContext2D, colour: string): CanvasPattern | null {
  const pattern = new OffscreenCanvas(6, 6);
  const pen = pattern.getContext('2d');
  if (pen) {
    pen.globalAlpha = 0.6;
    pen.strokeStyle = colour;
    pen.beginPath();
    for (const from of [-6, 0, 6]) {
      pen.moveTo(from, 6);
      pen.lineTo(from + 6, 0);
    }
    pen.stroke();
  }
  return context.createPattern(pattern, 'repeat');
}
