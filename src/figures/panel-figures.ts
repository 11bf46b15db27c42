import type { WeightLine } from '../draw/weight-lines';
import { layerRamps } from '../draw/layer-colors';
import type { HeadWeights } from '../state/heads/heads';
import { byContribution, inOrder, largest, weightsName } from '../state/heads/neuron';
import type { PanelState } from '../state/panel/panel';
import { headFigure } from './head';
import { matrixFigure } from './matrix';
import { modelFigure, type ModelRow } from './model';
import { neuronFigure } from './neuron';
import { textWidth, PRINT_COLORS } from './print-style';
import type { Scene } from './scene';

/** A figure with more tokens would be unreadable. */
const LONGEST = 512;

/** More lines would overlap too much, in a file of many megabytes. */
const MOST = 5000;

/** Smaller weights would not be visible. */
const FAINTEST = 0.004;

/** Why a view has no figure: no weights, or too many tokens. */
export type Missing = 'nothing' | 'long';

/** All heads in the rows of the panel. */
export function modelScene(
  { thumbnails, display, regions }: PanelState,
  title: string,
  width: number,
  rows: readonly ModelRow[]
): Scene | Missing {
  const load = thumbnails.value;
  if (load.state !== 'ready') {
    return 'nothing';
  }
  const regionOf = regions.value;
  return modelFigure({
    title,
    rows,
    atlas: load.payload,
    mode: display.thumbnails.value,
    rampOf: display.colorBy.value === 'layer' ? layerRamps(PRINT_COLORS) : () => PRINT_COLORS.ramp,
    regionOf: site => regionOf?.(site) ?? null,
    accent: PRINT_COLORS.accent,
    width
  });
}

/** The pixels of all thumbnails, one row for each row of pixels; a number is the largest weight. */
export function modelRows(
  { thumbnails, trace }: PanelState,
  rows: readonly ModelRow[]
): (string | number)[][] {
  const load = thumbnails.value;
  if (load.state !== 'ready' || !trace.value) {
    return [];
  }
  const { shape, data } = load.payload;
  const [, down = 0, across = 0] = shape;
  const numbers = inOrder(across);
  return [
    ['layer', 'head', 'row of pixels', ...numbers.map(column => `column ${column}`)],
    ...rows.flatMap(({ label, heads }) =>
      heads.flatMap(({ name, thumbnail }) =>
        inOrder(down).map(row => [
          label,
          name,
          row,
          ...numbers.map(x => (data[(thumbnail * down + row) * across + x] ?? NaN) / 255)
        ])
      )
    )
  ];
}

/** The drawn heads as lines, or the focused head as a matrix. */
export function headScene(
  state: PanelState,
  title: string,
  width: number,
  colorOf: (head: number) => string
): Scene | Missing {
  const { heads, display } = state;
  const { queries, keys } = heads.axes.value;
  const [rows, columns] = [textsOf(queries.entries), textsOf(keys.entries)];
  const all = heads.all.value;
  if (all.length === 0) {
    return 'nothing';
  }
  if (rows.length > LONGEST || columns.length > LONGEST) {
    return 'long';
  }
  if (display.head.value === 'matrix') {
    const focused = heads.focused.value;
    const at = (query: number, key: number): number => focused?.at(query, key) ?? NaN;
    return focused
      ? matrixFigure({
          title,
          queries: rows,
          keys: columns,
          at,
          ramp: PRINT_COLORS.ramp,
          width,
          measure: textWidth
        })
      : 'nothing';
  }
  const drawn = all.map(({ head, weights }) => ({
    name: String(head),
    color: all.length === 1 ? PRINT_COLORS.accent : colorOf(head),
    lines: heaviest(weights, Math.floor(MOST / all.length))
  }));
  return headFigure({
    title,
    queries: rows,
    keys: columns,
    heads: drawn,
    width,
    measure: textWidth
  });
}

/** The visible weights of the drawn heads, one in a row, below a header. */
export function headRows(state: PanelState): (string | number)[][] {
  const { queries, keys } = state.heads.axes.value;
  const layer = state.site.value?.layer ?? NaN;
  const rows: (string | number)[][] = [
    ['layer', 'head', 'query', 'query token', 'key', 'key token', 'weight']
  ];
  for (const { head, weights } of state.heads.all.value) {
    queries.entries.forEach(({ start, token }, query) => {
      weights.each(query, 0, weights.keys, (key, weight) => {
        const to = keys.entries[key];
        rows.push([layer, head, start, token.text, to?.start ?? NaN, to?.token.text ?? '', weight]);
      });
    });
  }
  return rows;
}

/** The score terms of the shown query, in the order of dimensions of the panel. */
export function neuronScene(state: PanelState, title: string, width: number): Scene | Missing {
  const shown = state.breakdown.shown.value;
  const { queries, keys } = state.sides.value;
  if (!shown) {
    return 'nothing';
  }
  if (keys.length > LONGEST) {
    return 'long';
  }
  const { neuron, vectors, products } = shown;
  const key = state.selection.shownKey.value ?? largest(neuron.weights) ?? 0;
  return neuronFigure({
    title,
    query: queries[shown.query]?.text ?? '',
    keys: keys.map(({ text }) => text),
    neuron,
    column: weightsName(state.site.value),
    vectors,
    products,
    order:
      state.display.dimensionOrder.value === 'contribution'
        ? byContribution(products, key)
        : inOrder(vectors.width),
    signed: PRINT_COLORS.signed,
    accent: PRINT_COLORS.accent,
    width,
    measure: textWidth
  });
}

/** The numbers of the shown query: for each key the scores, the weight and the vector k. */
export function neuronRows(state: PanelState): (string | number)[][] {
  const shown = state.breakdown.shown.value;
  if (!shown) {
    return [];
  }
  const { neuron, vectors } = shown;
  const dimensions = inOrder(vectors.width);
  const names = [...neuron.steps.map(({ label }) => label), weightsName(state.site.value)];
  return [
    ['token', ...names, ...dimensions.map(dimension => `dimension ${dimension}`)],
    ['query', ...names.map(() => ''), ...neuron.q],
    ...state.sides.value.keys.map(({ text }, key) => [
      text,
      ...neuron.steps.map(({ scores }) => scores[key] ?? NaN),
      neuron.weights[key] ?? NaN,
      ...vectors.data.subarray(key * vectors.width, (key + 1) * vectors.width)
    ])
  ];
}

function textsOf(entries: readonly { token: { text: string } }[]): string[] {
  return entries.map(({ token }) => token.text);
}

function heaviest(weights: HeadWeights['weights'], most: number): WeightLine[] {
  const lines: WeightLine[] = [];
  for (let query = 0; query < weights.queries; query++) {
    weights.each(query, 0, weights.keys, (key, weight) => {
      if (weight >= FAINTEST) {
        lines.push({ query, key, weight });
      }
    });
  }
  return lines.sort((a, b) => a.weight - b.weight).slice(-most);
}
