import type { RowRange } from './visible-rows';

/** The weights of one head. */
export interface WeightSource {
  readonly queries: number;
  readonly keys: number;
  /** Visits the visible weights of a query, from key `start` to `end`, excluded. */
  each(query: number, start: number, end: number, see: (key: number, weight: number) => void): void;
}

/** A line from a query to a key. */
export interface WeightLine {
  query: number;
  key: number;
  weight: number;
  /** Index among the drawn heads; 0 by default. */
  head?: number;
}

/** Drawing more lines takes longer than a frame. */
export const MAX_LINES = 1000;

/** Smaller weights would not be visible. */
const FAINTEST = 0.004;

/** Levels of strength; lines of one level and head are drawn in one stroke. */
const STEPS = 24;

/** Bins of the histogram that finds the largest weights without sorting all of them. */
const BINS = 4096;

/** The lines of the largest weights that touch a visible row on either side, in ascending order. */
export function largestLines(
  heads: readonly WeightSource[],
  visible: RowRange,
  most = MAX_LINES
): WeightLine[] {
  const counts = new Uint32Array(BINS + 1);
  visit(heads, visible, (_head, _query, _key, weight) => {
    const bin = binOf(weight);
    counts[bin] = (counts[bin] ?? 0) + 1;
  });
  // Lines of bins above `last` are all drawn; bin `last` fills the remaining room.
  let last = BINS;
  let room = most;
  while (last > 0 && (counts[last] ?? 0) <= room) {
    room -= counts[last] ?? 0;
    last--;
  }
  const lines: WeightLine[] = [];
  const marginal: WeightLine[] = [];
  visit(heads, visible, (head, query, key, weight) => {
    const bin = binOf(weight);
    if (bin >= last) {
      (bin > last ? lines : marginal).push({ query, key, weight, head });
    }
  });
  marginal.sort((a, b) => b.weight - a.weight);
  return [...lines, ...marginal.slice(0, room)].sort((a, b) => a.weight - b.weight);
}

function binOf(weight: number): number {
  return Math.min(BINS, Math.floor(weight * BINS));
}

function visit(
  heads: readonly WeightSource[],
  visible: RowRange,
  see: (head: number, query: number, key: number, weight: number) => void
): void {
  heads.forEach((weights, head) => {
    for (let query = 0; query < weights.queries; query++) {
      const all = query >= visible.start && query < visible.end;
      const start = all ? 0 : visible.start;
      const end = all ? weights.keys : Math.min(weights.keys, visible.end);
      weights.each(query, start, end, (key, weight) => {
        if (weight >= FAINTEST) {
          see(head, query, key, weight);
        }
      });
    }
  });
}

/** The layout of lines: from `left` to `right`, in rows of equal height. */
export interface Frame {
  left: number;
  right: number;
  row: number;
  /** The row at the upper edge of the canvas. */
  first: number;
}

/** The style of lines: opacity from `faint` to `full`, width from 0.5 to `wide` pixels. */
export interface LineStyle {
  /** One color for each drawn head. */
  colors: readonly string[];
  faint: number;
  full: number;
  wide: number;
}

/** Draws lines from the left to the right side, the largest weights last. */
export function strokeLines(
  context: CanvasRenderingContext2D,
  lines: readonly WeightLine[],
  { left, right, row, first }: Frame,
  { colors, faint, full, wide }: LineStyle
): void {
  const heads = colors.length;
  const buckets: WeightLine[][] = Array.from({ length: STEPS * heads }, () => []);
  for (const line of lines) {
    const step = Math.min(STEPS - 1, Math.max(0, Math.floor(line.weight * STEPS)));
    buckets[step * heads + (line.head ?? 0)]?.push(line);
  }
  const bend = (right - left) * 0.45;
  context.save();
  context.lineCap = 'butt';
  buckets.forEach((bucket, i) => {
    if (bucket.length === 0) {
      return;
    }
    const strength = (Math.floor(i / heads) + 0.5) / STEPS;
    context.strokeStyle = colors[i % heads] ?? '';
    context.globalAlpha = faint + (full - faint) * strength ** 0.8;
    context.lineWidth = 0.5 + (wide - 0.5) * strength;
    context.beginPath();
    for (const { query, key } of bucket) {
      const [from, to] = [(query - first + 0.5) * row, (key - first + 0.5) * row];
      context.moveTo(left, from);
      context.bezierCurveTo(left + bend, from, right - bend, to, right, to);
    }
    context.stroke();
  });
  context.restore();
}
