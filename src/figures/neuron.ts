import { formatScore, formatWeight } from '../draw/format-number';
import { scaleOf, strength, type Neuron, type Vectors } from '../state/heads/neuron';
import { MARGIN, ROW, TITLE, titled, type Mark, type Scene } from './scene';

interface NeuronFigure {
  title: string;
  query: string;
  keys: readonly string[];
  neuron: Neuron;
  /** Name of the column of weights. */
  column: string;
  vectors: Vectors;
  products: Vectors;
  /** The dimensions in the order of the view. */
  order: readonly number[];
  /** Colors of signed numbers: -1 at 0, zero at 255, 1 at 510. */
  signed: Uint32Array;
  accent: string;
  width: number;
  measure: (text: string) => number;
}

const GAP = 8;
const NUMBER = 44;
const WEIGHT = 96;
const LEARNED_SINK = 'learned sink';

/** Draws the score terms of a query: q, each k, q × k, the score after each term, the weights. */
export function neuronFigure(figure: NeuronFigure): Scene {
  const { title, query, keys, neuron, vectors, products, order, signed, accent, measure } = figure;
  const texts = [query, ...keys, ...(neuron.sink ? [LEARNED_SINK] : [])].map(measure);
  const token = Math.min(figure.width * 0.22, Math.max(...texts));
  const fixed = 2 * MARGIN + token + 4 * GAP + neuron.steps.length * (NUMBER + GAP) + WEIGHT;
  const strip = Math.max(order.length, (figure.width - fixed) / 2);
  const width = fixed + 2 * strip;
  const [k, product] = [MARGIN + token + GAP, MARGIN + token + strip + 2 * GAP];
  const numbers = product + strip + GAP;
  const weights = numbers + neuron.steps.length * (NUMBER + GAP);
  const head = MARGIN + TITLE;
  const top = head + 2.5 * ROW;
  const marks: Mark[] = [titled(title)];
  const heading = (x: number, y: number, text: string, anchor: 'start' | 'end' = 'start') =>
    marks.push({ kind: 'text', x, y, text, anchor, size: 10, faint: true });
  const strips = (x: number, y: number, rows: number, numbers: Float32Array) => {
    const scale = scaleOf(numbers);
    for (let row = 0; row < rows; row++) {
      const words = Uint32Array.from(order, dimension => {
        const number = numbers[row * order.length + dimension] ?? NaN;
        return signed[Math.round(255 + 255 * strength(number, scale))] ?? 0;
      });
      const area = { x, y: y + row * ROW + 2, width: strip, height: ROW - 4 };
      const raster = { columns: order.length, rows: 1, words };
      marks.push({ kind: 'raster', ...area, raster }, { kind: 'box', ...area });
    }
  };
  heading(k, head, 'q');
  strips(k, head + 0.5 * ROW, 1, neuron.q);
  marks.push({ kind: 'text', x: k - GAP, y: head + ROW, text: query, anchor: 'end', bold: true });
  heading(k, top - 6, 'k');
  heading(product, top - 6, 'q × k');
  neuron.steps.forEach(({ label }, i) =>
    heading(numbers + i * (NUMBER + GAP) + NUMBER, top - 6, label, 'end')
  );
  heading(weights, top - 6, figure.column);
  strips(k, top, keys.length, vectors.data);
  strips(product, top, keys.length, products.data);
  keys.forEach((text, key) => {
    const y = top + (key + 0.5) * ROW;
    marks.push({ kind: 'text', x: k - GAP, y, text, anchor: 'end' });
    neuron.steps.forEach(({ scores }, i) =>
      marks.push({
        kind: 'text',
        x: numbers + i * (NUMBER + GAP) + NUMBER,
        y,
        text: formatScore(scores[key] ?? NaN),
        anchor: 'end',
        size: 10
      })
    );
    marks.push(...bar(weights, y, neuron.weights[key] ?? NaN, accent));
  });
  let bottom = top + keys.length * ROW;
  if (neuron.sink) {
    marks.push({
      kind: 'text',
      x: k - GAP,
      y: bottom + ROW / 2,
      text: LEARNED_SINK,
      anchor: 'end',
      faint: true
    });
    marks.push(...bar(weights, bottom + ROW / 2, neuron.sink.weight, accent));
    bottom += ROW;
  }
  return { title, width, height: bottom + MARGIN, marks };
}

/** A weight as a bar and a number. */
function bar(x: number, y: number, weight: number, fill: string): Mark[] {
  const width = Math.max(0, Math.min(1, weight || 0)) * (WEIGHT - 48);
  return [
    { kind: 'box', x, y: y - 4, width, height: 8, fill },
    { kind: 'text', x: x + WEIGHT, y, text: formatWeight(weight), anchor: 'end', size: 10 }
  ];
}
