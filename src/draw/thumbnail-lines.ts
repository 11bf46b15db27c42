/** Weights (times 255) below this are not drawn. */
export const FAINTEST = 8;

/**
 * One thumbnail as straight lines from queries on the left edge to keys on the right edge.
 *
 * A pixel has the largest weight of the lines that cross it. In a square no line is steeper than
 * the diagonal, so that each line covers two pixels of a column (Wu's antialiasing). This draws a
 * panel of heads within a frame; strokes of a canvas would take longer.
 *
 * @param data - Weights times 255; those of the thumbnail begin at `base`.
 * @returns Shape (pixels, pixels), from 0 to 255.
 */
export function linesOf(
  data: ArrayLike<number>,
  base: number,
  rows: number,
  columns: number,
  pixels: number
): Uint8Array {
  const out = new Uint8Array(pixels * pixels);
  const last = pixels - 1;
  const steps = Math.max(1, last);
  for (let row = 0, at = base; row < rows; row++) {
    const from = ((row + 0.5) * pixels) / rows - 0.5;
    for (let column = 0; column < columns; column++, at++) {
      const weight = data[at] ?? 0;
      if (weight < FAINTEST) {
        continue;
      }
      const to = ((column + 0.5) * pixels) / columns - 0.5;
      const slope = (to - from) / steps;
      for (let x = 0, y = Math.max(0, from); x < pixels; x++, y = from + x * slope) {
        const upper = Math.max(0, Math.floor(y));
        const below = y - upper;
        const spot = upper * pixels + x;
        const value = weight * (1 - below);
        if (value > (out[spot] ?? 0)) {
          out[spot] = value;
        }
        if (upper < last && weight * below > (out[spot + pixels] ?? 0)) {
          out[spot + pixels] = weight * below;
        }
      }
    }
  }
  return out;
}
