/** Where strips stand: `count` rows from `first` on, from `left` on across `width`. */
export interface Lane {
  left: number;
  width: number;
  row: number;
  first: number;
  count: number;
}

/** Below one, so that a weak weight can be told from none. */
const GAMMA = 0.65;

/** How wide the strips of so many heads are together, on a canvas so wide; none for one head. */
export function laneOf(heads: number, width: number): number {
  return heads < 2 ? 0 : Math.min(heads * 6, width * 0.24);
}

/** Draws one vertical strip a head beside each row, in the heads' order, as strong as its weight. */
export function drawStrips(
  context: CanvasRenderingContext2D,
  { left, width, row, first, count }: Lane,
  colours: readonly string[],
  weightOf: (head: number, row: number) => number
): void {
  const pitch = width / colours.length;
  const gap = pitch > 3 ? 1 : 0;
  context.save();
  colours.forEach((colour, head) => {
    context.fillStyle = colour;
    for (let i = 0; i < count; i++) {
      const weight = weightOf(head, first + i);
      if (weight > 0) {
        context.globalAlpha = Math.min(1, weight) ** GAMMA;
        context.fillRect(left + head * pitch, i * row + 1, pitch - gap, row - 2);
      }
    }
  });
  context.restore();
}
