/** Thumbnails of heads one after the other: (heads, queries, keys), 255 for a weight of 1. */
export interface Atlas {
  shape: readonly number[];
  data: ArrayLike<number>;
}

/** Where thumbnails stand on a canvas, in CSS pixels. */
export interface Places {
  /** Left edge of each head's thumbnail. */
  lefts: readonly number[];
  side: number;
}

/**
 * Draws the thumbnails of consecutive heads, from `first` on, side by side.
 *
 * Where a thumbnail has more entries than pixels, a pixel shows its largest, so that a thin
 * diagonal never vanishes; where it has fewer, an entry is a crisp block of pixels.
 */
export function drawThumbnails(
  canvas: HTMLCanvasElement,
  { shape, data }: Atlas,
  first: number,
  { lefts, side }: Places,
  ramp: Uint32Array
): void {
  const scale = devicePixelRatio || 1;
  const [, rows = 0, columns = 0] = shape;
  const pixels = Math.round(side * scale);
  const width = Math.round(((lefts.at(-1) ?? 0) + side) * scale);
  canvas.width = width;
  canvas.height = pixels;
  const context = canvas.getContext('2d');
  if (!context || width === 0 || pixels === 0 || rows === 0 || columns === 0) {
    return;
  }
  const image = context.createImageData(width, pixels);
  const words = new Uint32Array(image.data.buffer);
  const down = bins(rows, pixels);
  const across = bins(columns, pixels);
  const pooled = new Uint8Array(columns);
  lefts.forEach((left, head) => {
    const base = (first + head) * rows * columns;
    const x0 = Math.round(left * scale);
    for (let y = 0; y < pixels; y++) {
      const top = down[y] ?? 0;
      const bottom = Math.max(top + 1, down[y + 1] ?? rows);
      pooled.fill(0);
      for (let row = top; row < bottom; row++) {
        for (let i = 0, at = base + row * columns; i < columns; i++, at++) {
          pooled[i] = Math.max(pooled[i] ?? 0, data[at] ?? 0);
        }
      }
      for (let x = 0; x < pixels; x++) {
        const start = across[x] ?? 0;
        const end = Math.max(start + 1, across[x + 1] ?? columns);
        let value = 0;
        for (let i = start; i < end; i++) {
          value = Math.max(value, pooled[i] ?? 0);
        }
        words[y * width + x0 + x] = ramp[value] ?? 0;
      }
    }
  });
  context.putImageData(image, 0, 0);
}

/** First entry under each pixel, and one past the last. */
function bins(entries: number, pixels: number): Uint32Array {
  return Uint32Array.from({ length: pixels + 1 }, (_, i) => Math.floor((i * entries) / pixels));
}
