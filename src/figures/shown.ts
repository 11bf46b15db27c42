import type { Edge } from '../draw/curves';
import { layerRamps } from '../draw/hues';
import type { HeadWeights } from '../state/heads';
import { byContribution, inOrder, largest, weightsName } from '../state/neuron';
import type { PanelState } from '../state/panel';
import { headFigure } from './head';
import { matrixFigure } from './matrix';
import { modelFigure, type ModelRow } from './model';
import { neuronFigure } from './neuron';
import { measure, PAPER } from './paper';
import type { Scene } from './scene';

/** More rows than this are no figure that anyone reads. */
const LONGEST = 512;

/** Curves of more are a cloud, and a file of many megabytes. */
const MOST = 5000;

/** A weight below this is drawn as nothing. */
const FAINTEST = 0.004;

/** Why a view has no figure. */
export type Missing = 'nothing' | 'long';

/** All heads as a panel has them, row by row. */
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
    atlas: load.picture,
    look: display.thumbnails.value,
    rampOf: display.colour.value === 'layer' ? layerRamps(PAPER) : () => PAPER.ramp,
    regionOf: site => regionOf?.(site) ?? null,
    accent: PAPER.accent,
    width
  });
}

/** The pixels of all thumbnails: a row for each row of pixels, each number a largest weight. */
export function modelRows(
  { thumbnails, trace }: PanelState,
  rows: readonly ModelRow[]
): (string | number)[][] {
  const load = thumbnails.value;
  if (load.state !== 'ready' || !trace.value) {
    return [];
  }
  const { shape, data } = load.picture;
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

/** The heads that a panel draws together, as lines or as the matrix of the focused one. */
export function headScene(
  state: PanelState,
  title: string,
  width: number,
  colourOf: (head: number) => string
): Scene | Missing {
  const { heads, display } = state;
  const { queries, keys } = heads.reading.value;
  const [rows, columns] = [textsOf(queries.entries), textsOf(keys.entries)];
  const all = heads.all.value;
  if (all.length === 0) {
    return 'nothing';
  }
  if (rows.length > LONGEST || columns.length > LONGEST) {
    return 'long';
  }
  if (display.head.value === 'matrix') {
    const own = heads.focused.value;
    const at = (query: number, key: number): number => own?.at(query, key) ?? NaN;
    return own
      ? matrixFigure({ title, queries: rows, keys: columns, at, ramp: PAPER.ramp, width, measure })
      : 'nothing';
  }
  const drawn = all.map(({ head, weights }) => ({
    name: String(head),
    colour: all.length === 1 ? PAPER.accent : colourOf(head),
    edges: heaviest(weights, Math.floor(MOST / all.length))
  }));
  return headFigure({ title, queries: rows, keys: columns, heads: drawn, width, measure });
}

/** The weights of these heads: one row for each that is drawn, under a row of names. */
export function headRows(state: PanelState): (string | number)[][] {
  const { queries, keys } = state.heads.reading.value;
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

/** The shown query, taken apart, in the order of dimensions that the panel shows. */
export function neuronScene(state: PanelState, title: string, width: number): Scene | Missing {
  const shown = state.dissection.shown.value;
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
      state.display.neurons.value === 'contribution'
        ? byContribution(products, key)
        : inOrder(vectors.width),
    signed: PAPER.signed,
    accent: PAPER.accent,
    width,
    measure
  });
}

/** The numbers of the shown query: for each key its scores, its weight, and k by dimension. */
export function neuronRows(state: PanelState): (string | number)[][] {
  const shown = state.dissection.shown.value;
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

function heaviest(weights: HeadWeights['weights'], most: number): Edge[] {
  const edges: Edge[] = [];
  for (let query = 0; query < weights.queries; query++) {
    weights.each(query, 0, weights.keys, (key, weight) => {
      if (weight >= FAINTEST) {
        edges.push({ query, key, weight });
      }
    });
  }
  return edges.sort((a, b) => a.weight - b.weight).slice(-most);
}
