import type { Atlas } from '../draw/thumbnails';
import { MARGIN, TITLE, titled, type Mark, type Scene } from './scene';

/** One row of thumbnails. */
export interface ModelRow {
  /** What stands before it, e.g. a layer's number. */
  label: string;
  /** The heads' names and places among all thumbnails; none in a layer without attention. */
  heads: readonly { name: string; thumbnail: number }[];
}

interface ModelFigure {
  title: string;
  rows: readonly ModelRow[];
  atlas: Atlas;
  ramp: Uint32Array;
  width: number;
}

const LABELS = 28;
const GAP = 3;
const NAME = 10;

/** Draws all heads as thumbnails, row by row as the model view has them. */
export function modelFigure({ title, rows, atlas, ramp, width }: ModelFigure): Scene {
  const columns = Math.max(1, ...rows.map(({ heads }) => heads.length));
  const left = MARGIN + LABELS;
  const side = Math.max(4, (width - MARGIN - left) / columns - GAP);
  const [, down = 0, across = 0] = atlas.shape;
  const marks: Mark[] = [titled(title)];
  const name = (x: number, y: number, text: string, anchor: 'middle' | 'end') =>
    marks.push({ kind: 'text', x, y, text, anchor, size: 9, faint: true });
  let top = MARGIN + TITLE;
  let before: readonly string[] = [];
  for (const { label, heads } of rows) {
    const names = heads.map(({ name }) => name);
    // Columns that go on are named once.
    if (names.some((own, i) => own !== before[i])) {
      names.forEach((own, i) => name(left + i * (side + GAP) + side / 2, top + 4, own, 'middle'));
      top += NAME;
      before = names;
    }
    name(left - 6, top + side / 2, label, 'end');
    heads.forEach(({ thumbnail }, i) => {
      const base = thumbnail * down * across;
      const words = Uint32Array.from(
        { length: down * across },
        (_, pixel) => ramp[atlas.data[base + pixel] ?? 0] ?? 0
      );
      const area = { x: left + i * (side + GAP), y: top, width: side, height: side };
      const raster = { columns: across, rows: down, words };
      marks.push({ kind: 'raster', ...area, raster }, { kind: 'box', ...area });
    });
    top += side + GAP;
  }
  return { title, width, height: top + MARGIN, marks };
}
