import { useComputed, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { heaviest, strokeEdges, type Edge } from '../draw/curves';
import { surface } from '../draw/surface';
import type { Stretch } from '../draw/window';
import type { Question } from '../state/question';
import type { Sides } from '../state/tokens';
import type { Weights } from '../state/weights';
import { useEnv } from './env';
import { ROW } from './row';
import { useView } from './size';

/**
 * The curves of the rows in the page: all of them, and over them, those that answer the
 * question. Two canvases, so that a hover draws one row and dims the rest by a style.
 */
export function Curves({ window }: { window: ReadonlySignal<Stretch> }) {
  const { state, palette } = useEnv();
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const view = useView(box);
  const width = useComputed(() => view.value.width);
  const all = useComputed(() => {
    const weights = state.weights.value;
    return weights ? heaviest(defined(weights, state.sides.value), window.value) : [];
  });

  const draw = (canvas: HTMLCanvasElement | null, strokes: (frame: Frame) => void): void => {
    const { start, end } = window.value;
    const across = width.value;
    // Read here too, so that a new palette or zoom draws again whatever is drawn.
    const { mark, accent } = palette.value;
    if (!canvas) {
      return;
    }
    canvas.style.top = `${start * ROW}px`;
    const context = surface(canvas, across, (end - start) * ROW);
    if (context) {
      strokes({ context, mark, accent, width: across, row: ROW, first: start });
    }
  };
  useSignalEffect(() =>
    draw(base.current, ({ context, accent, ...frame }) =>
      strokeEdges(context, all.value, frame, {
        colour: accent,
        faint: faintest(0.06, all.value),
        full: 0.62,
        wide: 4
      })
    )
  );
  useSignalEffect(() => {
    const weights = state.weights.value;
    const question = state.question.value;
    box.current?.toggleAttribute('data-asked', question.kind !== 'none');
    draw(over.current, ({ context, mark, ...frame }) => {
      if (!weights) {
        return;
      }
      const stroke = { colour: mark, wide: 4 };
      const pair = pairOf(question);
      const edges = edgesOf(question, weights);
      strokeEdges(context, edges, frame, {
        ...stroke,
        faint: faintest(0.12, edges),
        full: pair ? 0.45 : 1
      });
      if (pair) {
        const weight = weights.at(pair.query, pair.key);
        strokeEdges(context, [{ ...pair, weight }], frame, { ...stroke, faint: 0.9, full: 1 });
      }
    });
  });
  return (
    <div ref={box} class="attnlab-curves" aria-hidden="true" data-testid="attnlab-curves">
      <canvas ref={base} class="attnlab-curves-all" />
      <canvas ref={over} class="attnlab-curves-asked" />
    </div>
  );
}

/** The weights without those of padding queries, which mean nothing. */
function defined(weights: Weights, { queries }: Sides): Weights {
  const at = (query: number, key: number): number =>
    queries[query]?.padding ? NaN : weights.at(query, key);
  return queries.some(({ padding }) => padding) ? { ...weights, at } : weights;
}

interface Frame {
  context: CanvasRenderingContext2D;
  mark: string;
  accent: string;
  width: number;
  row: number;
  first: number;
}

/** The fewer curves, the fainter ones can be told apart; many faint ones make a cloud. */
function faintest(most: number, edges: readonly Edge[]): number {
  return Math.min(most, (20 * most) / (edges.length + 1));
}

function pairOf(question: Question): { query: number; key: number } | null {
  return question.kind === 'row' && question.key !== null
    ? { query: question.query, key: question.key }
    : null;
}

/** A weight this many times lighter than the heaviest in question is not drawn, only printed. */
const NOTHING = 500;

/** The edges of the row or column in question, lightest first; a NaN is no curve. */
function edgesOf(question: Question, weights: Weights): Edge[] {
  if (question.kind === 'none') {
    return [];
  }
  const length = question.kind === 'row' ? weights.keys : weights.queries;
  const edges = Array.from({ length }, (_, i): Edge => {
    const query = question.kind === 'row' ? question.query : i;
    const key = question.kind === 'row' ? i : question.key;
    return { query, key, weight: weights.at(query, key) };
  });
  // Hundreds of weights that are nothing beside the heaviest would draw as a cloud.
  const heaviest = edges.reduce((most, { weight }) => (weight > most ? weight : most), 0);
  return edges
    .filter(({ weight }) => weight > heaviest / NOTHING)
    .sort((a, b) => a.weight - b.weight);
}
