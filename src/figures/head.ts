import type { WeightLine } from '../draw/weight-lines';
import { MARGIN, ROW, SIZE, TITLE, titled, type Mark, type Scene } from './scene';

/** The lines of one head, in its color. */
export interface HeadCurves {
  name: string;
  color: string;
  lines: readonly WeightLine[];
}

interface HeadFigure {
  title: string;
  queries: readonly string[];
  keys: readonly string[];
  heads: readonly HeadCurves[];
  width: number;
  /** Returns the width of a text in CSS pixels. */
  measure: (text: string) => number;
}

/** Space between a token and the lines. */
const GAP = 6;

/** Draws heads like the head view: queries left, keys right, a line for each weight. */
export function headFigure({ title, queries, keys, heads, width, measure }: HeadFigure): Scene {
  const widest = (texts: readonly string[]) =>
    texts.reduce((most, text) => Math.max(most, measure(text)), 0);
  const left = MARGIN + Math.min(widest(queries), width * 0.35);
  const right = width - MARGIN - Math.min(widest(keys), width * 0.35);
  const legend = heads.length > 1;
  const top = MARGIN + TITLE + (legend ? ROW : 0);
  const middle = (i: number) => top + (i + 0.5) * ROW;
  const marks: Mark[] = [titled(title)];
  if (legend) {
    marks.push(...legendOf(heads, MARGIN + TITLE, measure));
  }
  for (const { color, lines } of heads) {
    for (const { query, key, weight } of lines) {
      marks.push({
        kind: 'curve',
        from: [left + GAP, middle(query)],
        to: [right - GAP, middle(key)],
        color,
        opacity: Math.min(1, 0.06 + 0.94 * weight ** 0.8),
        width: 0.5 + 3.5 * weight
      });
    }
  }
  queries.forEach((text, i) =>
    marks.push({ kind: 'text', x: left, y: middle(i), text, anchor: 'end' })
  );
  keys.forEach((text, i) =>
    marks.push({ kind: 'text', x: right, y: middle(i), text, anchor: 'start' })
  );
  const height = top + Math.max(queries.length, keys.length) * ROW + MARGIN;
  return { title, width, height, marks };
}

function legendOf(
  heads: readonly HeadCurves[],
  y: number,
  measure: (text: string) => number
): Mark[] {
  let x = MARGIN;
  return heads.flatMap(({ name, color }): Mark[] => {
    const at = x;
    x += SIZE + 4 + measure(name) + 12;
    return [
      { kind: 'box', x: at, y: y - 5, width: 10, height: 10, fill: color },
      { kind: 'text', x: at + SIZE + 4, y, text: name, anchor: 'start', size: 11 }
    ];
  });
}
