/** The position of the columns: `count` rows from row `first`, in pixels from `left`. */
export interface HeadColumns {
  left: number;
  width: number;
  row: number;
  first: number;
  count: number;
}

/** Below 1, so that small weights are visible. */
const GAMMA = 0.65;

/** Total width of the columns of these heads on a canvas of this width; 0 for one head. */
export function columnsWidth(heads: number, width: number): number {
  return heads < 2 ? 0 : Math.min(heads * 6, width * 0.24);
}

/** Draws one column for each head beside the rows, with the opacity of its weights. */
export function drawHeadColumns(
  context: CanvasRenderingContext2D,
  { left, width, row, first, count }: HeadColumns,
  colors: readonly string[],
  weightOf: (head: number, row: number) => number
): void {
  const pitch = width / colors.length;
  const gap = pitch > 3 ? 1 : 0;
  context.save();
  colors.forEach((color, head) => {
    context.fillStyle = color;
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
