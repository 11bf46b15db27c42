import type { Stretch } from './window';

/** The weights of one head. */
export interface Matrix {
  readonly queries: number;
  readonly keys: number;
  /** Visits the weights of a query that can be drawn, from key `start` to `end`. */
  each(query: number, start: number, end: number, see: (key: number, weight: number) => void): void;
}

/** One curve: a query, a key, and the weight between them. */
export interface Edge {
  query: number;
  key: number;
  weight: number;
  /** Which of the heads that are drawn together; the first where it is not said. */
  head?: number;
}

/** More than this many are no longer drawn within a frame. */
export const MOST = 1000;

/** Weights below this would be drawn as nothing. */
const FAINTEST = 0.004;

/** Steps of strength: curves of one step and head are one stroke. */
const STEPS = 24;

/** Steps in which weights are counted to find the heaviest without sorting all of them. */
const BINS = 4096;

/** The heaviest edges that touch the visible rows of either side, lightest first. */
export function heaviest(heads: readonly Matrix[], visible: Stretch, most = MOST): Edge[] {
  const counts = new Uint32Array(BINS + 1);
  visit(heads, visible, (_head, _query, _key, weight) => {
    const bin = binOf(weight);
    counts[bin] = (counts[bin] ?? 0) + 1;
  });
  // All edges of the bins above `last` are drawn, and of `last` itself what there is room for.
  let last = BINS;
  let room = most;
  while (last > 0 && (counts[last] ?? 0) <= room) {
    room -= counts[last] ?? 0;
    last--;
  }
  const edges: Edge[] = [];
  const marginal: Edge[] = [];
  visit(heads, visible, (head, query, key, weight) => {
    const bin = binOf(weight);
    if (bin >= last) {
      (bin > last ? edges : marginal).push({ query, key, weight, head });
    }
  });
  marginal.sort((a, b) => b.weight - a.weight);
  return [...edges, ...marginal.slice(0, room)].sort((a, b) => a.weight - b.weight);
}

function binOf(weight: number): number {
  return Math.min(BINS, Math.floor(weight * BINS));
}

function visit(
  heads: readonly Matrix[],
  visible: Stretch,
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

/** How curves are laid out: from `left` to `right`, in rows of equal height. */
export interface Frame {
  left: number;
  right: number;
  row: number;
  /** The row at the canvas's upper edge. */
  first: number;
}

/** How strong curves are: opacity from `faint` to `full`, width from half a pixel to `wide`. */
export interface Stroke {
  /** A colour for each of the heads. */
  colours: readonly string[];
  faint: number;
  full: number;
  wide: number;
}

/** Strokes edges from the left side to the right side, the heaviest last. */
export function strokeEdges(
  context: CanvasRenderingContext2D,
  edges: readonly Edge[],
  { left, right, row, first }: Frame,
  { colours, faint, full, wide }: Stroke
): void {
  const heads = colours.length;
  const buckets: Edge[][] = Array.from({ length: STEPS * heads }, () => []);
  for (const edge of edges) {
    const step = Math.min(STEPS - 1, Math.max(0, Math.floor(edge.weight * STEPS)));
    buckets[step * heads + (edge.head ?? 0)]?.push(edge);
  }
  const bend = (right - left) * 0.45;
  context.save();
  context.lineCap = 'butt';
  buckets.forEach((bucket, i) => {
    if (bucket.length === 0) {
      return;
    }
    const strength = (Math.floor(i / heads) + 0.5) / STEPS;
    context.strokeStyle = colours[i % heads] ?? '';
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
