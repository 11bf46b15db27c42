import { MARGIN, SIZE, TITLE, titled, type Mark, type Scene } from './scene';

interface MatrixFigure {
  title: string;
  queries: readonly string[];
  keys: readonly string[];
  at: (query: number, key: number) => number;
  ramp: Uint32Array;
  width: number;
  measure: (text: string) => number;
}

/** With smaller cells, no tokens are drawn. */
const LEGIBLE = 9;

/** Color of NaN. */
const NOTHING = 0xffb0b0b0;

/** Draws one head as a matrix, with its tokens if they fit. */
export function matrixFigure(figure: MatrixFigure): Scene {
  const { title, queries, keys, at, ramp, width, measure } = figure;
  const widest = (texts: readonly string[]) =>
    Math.min(
      width * 0.25,
      texts.reduce((most, text) => Math.max(most, measure(text)), 0)
    );
  const beside = widest(queries) + 6;
  const cell = (width - 2 * MARGIN - beside) / keys.length;
  const named = cell >= LEGIBLE;
  const left = MARGIN + (named ? beside : 0);
  const size = named ? cell : (width - 2 * MARGIN) / keys.length;
  const top = MARGIN + TITLE + (named ? widest(keys) + 6 : 0);
  const words = new Uint32Array(queries.length * keys.length);
  for (let query = 0; query < queries.length; query++) {
    for (let key = 0; key < keys.length; key++) {
      const weight = at(query, key);
      const step = Math.round(Math.max(0, Math.min(1, weight)) * 255);
      words[query * keys.length + key] = Number.isNaN(weight) ? NOTHING : (ramp[step] ?? 0);
    }
  }
  const [across, down] = [size * keys.length, size * queries.length];
  const area = { x: left, y: top, width: across, height: down };
  const raster = { columns: keys.length, rows: queries.length, words };
  const marks: Mark[] = [
    titled(title),
    { kind: 'raster', ...area, raster },
    { kind: 'box', ...area }
  ];
  if (named) {
    const text = Math.min(SIZE, cell);
    queries.forEach((query, i) =>
      marks.push({
        kind: 'text',
        x: left - 6,
        y: top + (i + 0.5) * size,
        text: query,
        anchor: 'end',
        size: text
      })
    );
    keys.forEach((key, i) =>
      marks.push({
        kind: 'text',
        x: left + (i + 0.5) * size,
        y: top - 6,
        text: key,
        anchor: 'start',
        size: text,
        turned: true
      })
    );
  }
  return { title, width, height: top + down + MARGIN, marks };
}
