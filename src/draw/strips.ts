import type { Stretch } from './window';

/** Rows of signed numbers, drawn as a strip each. */
export interface Strips {
  /** Left edge on the canvas, and width of one number, in CSS pixels. */
  left: number;
  side: number;
  /** Numbers, `width` a row. */
  numbers: ArrayLike<number>;
  width: number;
  /** Which number of a row stands in which place. */
  order: readonly number[];
  /** Strength of a number, from -1 to 1. */
  strength: (number: number) => number;
}

/** Space above and below a strip, and by how much its two signs are moved apart. */
const INSET = 2;
const APART = 4;

/**
 * Draws rows of strips side by side, one number a block.
 *
 * A positive number stands at the strip's upper edge and a negative one at its lower, so that
 * a sign is told by more than its colour. A number that is none leaves its place empty.
 */
export function drawStrips(
  canvas: HTMLCanvasElement,
  width: number,
  row: number,
  rows: Stretch,
  strips: readonly Strips[],
  signed: Uint32Array
): void {
  const scale = devicePixelRatio || 1;
  const across = Math.round(width * scale);
  const edge = (y: number): number => Math.round(y * scale);
  canvas.width = across;
  canvas.height = edge((rows.end - rows.start) * row);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${(rows.end - rows.start) * row}px`;
  const context = canvas.getContext('2d');
  if (!context || canvas.width === 0 || canvas.height === 0) {
    return;
  }
  const image = context.createImageData(canvas.width, canvas.height);
  const words = new Uint32Array(image.data.buffer);
  // A strip has three lines of pixels: where only positive numbers reach, all, only negative.
  const lines = [1, 0, -1].map(() => new Uint32Array(across));
  for (let at = rows.start; at < rows.end; at++) {
    fill(lines, strips, at, scale, signed);
    const top = (at - rows.start) * row + INSET;
    const bottom = top + row - 2 * INSET;
    const edges = [top, top + APART, bottom - APART, bottom].map(edge);
    lines.forEach((line, i) => {
      for (let y = edges[i] ?? 0; y < (edges[i + 1] ?? 0); y++) {
        words.set(line, y * across);
      }
    });
  }
  context.putImageData(image, 0, 0);
}

function fill(
  [upper, middle, lower]: readonly Uint32Array[],
  strips: readonly Strips[],
  row: number,
  scale: number,
  signed: Uint32Array
): void {
  const zero = (signed.length - 1) / 2;
  const paper = signed[zero] ?? 0;
  for (const { left, side, numbers, width, order, strength } of strips) {
    order.forEach((dimension, place) => {
      const number = numbers[row * width + dimension] ?? NaN;
      const known = !Number.isNaN(number);
      const colour = signed[zero + Math.round(strength(number) * zero)] ?? 0;
      const from = Math.round((left + place * side) * scale);
      const to = Math.round((left + (place + 1) * side) * scale);
      upper?.fill(!known ? 0 : number > 0 ? colour : paper, from, to);
      middle?.fill(known ? colour : 0, from, to);
      lower?.fill(!known ? 0 : number < 0 ? colour : paper, from, to);
    });
  }
}
