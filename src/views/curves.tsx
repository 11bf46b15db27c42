import { useComputed, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { heaviest, MOST, strokeEdges, type Edge, type Frame } from '../draw/curves';
import { drawStrips, laneOf } from '../draw/lanes';
import { surface } from '../draw/surface';
import type { Stretch } from '../draw/window';
import type { HeadWeights } from '../state/heads';
import type { Drawn } from '../state/mass';
import type { Question } from '../state/question';
import type { Reading } from '../state/reading';
import { rested } from '../state/rested';
import { useEnv } from './env';
import { coloursOf } from './head-colours';
import { ROW } from './row';
import { useView } from './size';

/**
 * After a scroll has rested for so many milliseconds, the curves of all rows are drawn where it
 * has led; those drawn before reach past the view, and scroll with the lists. And so long the
 * exact weights of another head are waited for before curves are drawn of its thumbnail: a
 * thousand of them take a browser without a GPU longer than a frame.
 */
const REST = 150;

/**
 * The curves of the rows in the page: all of them, and over them, those that answer the
 * question. Two canvases, so that a hover draws one row and dims the rest by a style.
 */
export function Curves({ window }: { window: ReadonlySignal<Stretch> }) {
  const { state, palette } = useEnv();
  const { heads } = state;
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const view = useView(box);
  const width = useComputed(() => view.value.width);
  const settled = useMemo(() => rested(window, REST), [window]);
  const waited = useMemo(() => rested(heads.load, REST), [heads]);
  const all = useComputed(() => {
    if (heads.load.value.state === 'pending' && waited.value !== heads.load.value) {
      return [];
    }
    const reading = heads.reading.value;
    return heaviest(
      heads.all.value.map(({ weights }) => defined(weights, reading)),
      settled.value
    );
  });

  const draw = (
    canvas: HTMLCanvasElement | null,
    { start, end }: Stretch,
    strokes: (page: Page) => void
  ): void => {
    const across = width.value;
    const count = heads.all.value.length;
    // Read here too, so that a new palette or zoom draws again whatever is drawn.
    const { mark } = palette.value;
    const colours = coloursOf(
      heads.all.value.map(({ head }) => head),
      palette.value
    );
    if (!canvas) {
      return;
    }
    canvas.style.top = `${start * ROW}px`;
    const context = surface(canvas, across, (end - start) * ROW);
    if (context) {
      const lane = laneOf(count, across);
      const frame = { left: lane, right: across - lane, row: ROW, first: start };
      strokes({ context, mark, colours, lane, frame });
    }
  };
  useSignalEffect(() =>
    draw(base.current, settled.value, ({ context, colours, frame }) =>
      strokeEdges(context, all.value, frame, {
        colours,
        faint: faintest(0.06, all.value),
        full: 0.62,
        wide: 4
      })
    )
  );
  useSignalEffect(() => {
    const asked = heads.asked.value;
    const question = heads.question.value;
    box.current?.toggleAttribute('data-asked', question.kind !== 'none');
    draw(over.current, window.value, ({ context, mark, lane, frame, ...page }) => {
      const colours = asked.length < 2 ? [mark] : page.colours;
      const edges = edgesOf(question, asked);
      const pair = question.kind === 'row' && question.key !== null;
      strokeEdges(context, edges, frame, {
        colours,
        faint: faintest(0.12, edges),
        full: pair ? 0.45 : 1,
        wide: 4
      });
      if (pair) {
        const own = edges.filter(({ key }) => key === question.key);
        strokeEdges(context, own, frame, { colours, faint: 0.9, full: 1, wide: 4 });
      }
      if (lane > 0 && question.kind !== 'none') {
        const { start, end } = window.value;
        const left = question.kind === 'row' ? frame.right + 2 : 0;
        drawStrips(
          context,
          { left, width: lane - 2, row: ROW, first: start, count: end - start },
          colours,
          stripsOf(question, asked)
        );
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

interface Page {
  context: CanvasRenderingContext2D;
  mark: string;
  colours: string[];
  /** Width of the strips on either side; 0 for none. */
  lane: number;
  frame: Frame;
}

/** The weights without those of padding queries, which mean nothing. */
function defined(weights: Drawn, { queries }: Reading): Drawn {
  return {
    ...weights,
    each: (query, start, end, see) => {
      if (!queries.entries[query]?.token.padding) {
        weights.each(query, start, end, see);
      }
    }
  };
}

/** The fewer curves, the fainter ones can be told apart; many faint ones make a cloud. */
function faintest(most: number, edges: readonly Edge[]): number {
  return Math.min(most, (20 * most) / (edges.length + 1));
}

/** A weight this many times lighter than the heaviest in question is not drawn, only printed. */
const NOTHING = 500;

/** The edges of the row or column in question, lightest first; a NaN is no curve. */
function edgesOf(question: Question, heads: readonly HeadWeights[]): Edge[] {
  const edges: Edge[] = [];
  heads.forEach(({ weights }, head) => {
    if (question.kind === 'row') {
      const { query } = question;
      weights.each(query, 0, weights.keys, (key, weight) =>
        edges.push({ query, key, weight, head })
      );
    } else if (question.kind === 'column') {
      const { key } = question;
      for (let query = 0; query < weights.queries; query++) {
        weights.each(query, key, key + 1, (_, weight) => edges.push({ query, key, weight, head }));
      }
    }
  });
  // Hundreds of weights that are nothing beside the heaviest would draw as a cloud.
  const heaviest = edges.reduce((most, { weight }) => (weight > most ? weight : most), 0);
  return edges
    .filter(({ weight }) => weight > heaviest / NOTHING)
    .sort((a, b) => a.weight - b.weight)
    .slice(-MOST);
}

/**
 * The weight of a head at a row of the side that answers the question; NaN where it is not
 * exact: a pixel's largest weight would stand beside all the tokens that share it.
 */
function stripsOf(
  question: Question,
  heads: readonly HeadWeights[]
): (head: number, row: number) => number {
  return (head, row) => {
    const weights = heads[head]?.weights;
    const [query, key] =
      question.kind === 'row'
        ? [question.query, row]
        : [row, question.kind === 'column' ? question.key : -1];
    const seen =
      weights &&
      query < weights.queries &&
      key < weights.keys &&
      weights.known(query, key) === 'exact' &&
      weights.draws(query, key);
    return seen ? weights.at(query, key) : NaN;
  };
}
