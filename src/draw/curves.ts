import type { Stretch } from './window';

/** The weights of one head. */
export interface Matrix {
  readonly queries: number;
  readonly keys: number;
  at(query: number, key: number): number;
}

/** One curve: a query, a key, and the weight between them. */
export interface Edge {
  query: number;
  key: number;
  weight: number;
}

/** More than this many are no longer drawn within a frame. */
export const MOST = 2000;

/** Weights below this would be drawn as nothing. */
const FAINTEST = 0.004;

/** Steps of strength: curves of one step are one stroke. */
const STEPS = 24;

/** The heaviest edges that touch the visible rows of either side, lightest first. */
export function heaviest(weights: Matrix, visible: Stretch, most = MOST): Edge[] {
  const edges: Edge[] = [];
  const seen = (i: number): boolean => i >= visible.start && i < visible.end;
  const add = (query: number, key: number): void => {
    const weight = weights.at(query, key);
    if (weight >= FAINTEST) {
      edges.push({ query, key, weight });
    }
  };
  for (let query = 0; query < weights.queries; query++) {
    const all = seen(query);
    const start = all ? 0 : visible.start;
    const end = all ? weights.keys : Math.min(weights.keys, visible.end);
    for (let key = start; key < end; key++) {
      add(query, key);
    }
  }
  return edges.sort((a, b) => a.weight - b.weight).slice(-most);
}

/** How curves are laid out: rows of equal height from `top` on, across `width`. */
export interface Frame {
  width: number;
  row: number;
  /** The row at the canvas's upper edge. */
  first: number;
}

/** How strong curves are: opacity from `faint` to `full`, width from half a pixel to `wide`. */
export interface Stroke {
  colour: string;
  faint: number;
  full: number;
  wide: number;
}

/** Strokes edges from the left side to the right side, the heaviest last. */
export function strokeEdges(
  context: CanvasRenderingContext2D,
  edges: readonly Edge[],
  { width, row, first }: Frame,
  { colour, faint, full, wide }: Stroke
): void {
  const steps: Edge[][] = Array.from({ length: STEPS }, () => []);
  for (const edge of edges) {
    const step = Math.min(STEPS - 1, Math.max(0, Math.floor(edge.weight * STEPS)));
    steps[step]?.push(edge);
  }
  context.save();
  context.strokeStyle = colour;
  context.lineCap = 'butt';
  steps.forEach((bucket, step) => {
    if (bucket.length === 0) {
      return;
    }
    const strength = (step + 0.5) / STEPS;
    context.globalAlpha = faint + (full - faint) * strength ** 0.8;
    context.lineWidth = 0.5 + (wide - 0.5) * strength;
    context.beginPath();
    for (const { query, key } of bucket) {
      const [from, to] = [(query - first + 0.5) * row, (key - first + 0.5) * row];
      context.moveTo(0, from);
      context.bezierCurveTo(width * 0.45, from, width * 0.55, to, width, to);
    }
    context.stroke();
  });
  context.restore();
}
