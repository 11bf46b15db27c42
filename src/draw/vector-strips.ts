import type { RowRange } from './visible-rows';

/** Rows of signed numbers; each is drawn as a strip. */
export interface VectorStrips {
  /** Left edge on the canvas, and width of one number, in CSS pixels. */
  left: number;
  side: number;
  /** The numbers, `width` in a row. */
  numbers: ArrayLike<number>;
  width: number;
  /** The index of the number at each position. */
  order: readonly number[];
  /** Strength of a number, from -1 to 1. */
  strength: (number: number) => number;
}

/** Space above and below a strip, and offset between positive and negative numbers, in pixels. */
const INSET = 2;
const APART = 4;

/**
 * Draws rows of strips side by side; each number is a block.
 *
 * Positive numbers are at the upper edge of the strip, negative ones at the lower edge, so that
 * the sign is visible without color. NaN is left empty.
 */
export function drawVectorStrips(
  canvas: HTMLCanvasElement,
  width: number,
  row: number,
  rows: RowRange,
  strips: readonly VectorStrips[],
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
  // A strip has three bands: of positive numbers, of all numbers, of negative numbers.
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
  strips: readonly VectorStrips[],
  row: number,
  scale: number,
  signed: Uint32Array
): void {
  const zero = (signed.length - 1) / 2;
  const zeroColor = signed[zero] ?? 0;
  for (const { left, side, numbers, width, order, strength } of strips) {
    order.forEach((dimension, place) => {
      const number = numbers[row * width + dimension] ?? NaN;
      const known = !Number.isNaN(number);
      const color = signed[zero + Math.round(strength(number) * zero)] ?? 0;
      const from = Math.round((left + place * side) * scale);
      const to = Math.round((left + (place + 1) * side) * scale);
      upper?.fill(!known ? 0 : number > 0 ? color : zeroColor, from, to);
      middle?.fill(known ? color : 0, from, to);
      lower?.fill(!known ? 0 : number < 0 ? color : zeroColor, from, to);
    });
  }
}
