import {
  contains,
  thumbnailPixels,
  type Atlas,
  type ThumbnailMode,
  type Region
} from '../draw/thumbnails';
import { MARGIN, TITLE, titled, type Mark, type Raster, type Scene } from './scene';

/** One row of thumbnails. */
export interface ModelRow {
  /** The label before it, e.g. the number of a layer. */
  label: string;
  /** Empty for a layer without attention. */
  heads: readonly ModelHead[];
}

interface ModelHead {
  name: string;
  /** Its index among all thumbnails. */
  thumbnail: number;
  layer: number;
  site: number;
  /** Length of its score bar, from 0 to 1; null without a bar. */
  bar: number | null;
}

interface ModelFigure {
  title: string;
  rows: readonly ModelRow[];
  atlas: Atlas;
  mode: ThumbnailMode;
  rampOf: (layer: number) => Uint32Array;
  /** Returns the part of a site's thumbnails to draw; null for all. */
  regionOf: (site: number) => Region | null;
  accent: string;
  width: number;
}

const LABELS = 28;
const GAP = 3;
const NAME = 10;
const BAR = 3;

/** Raster pixels of lines per CSS pixel, sharp enough for print. */
const FINE = 4;

/** Draws all heads as thumbnails in the rows of the model view. */
export function modelFigure(figure: ModelFigure): Scene {
  const { title, rows, width, accent } = figure;
  const columns = Math.max(1, ...rows.map(({ heads }) => heads.length));
  const left = MARGIN + LABELS;
  const side = Math.max(4, (width - MARGIN - left) / columns - GAP);
  const marks: Mark[] = [titled(title)];
  const name = (x: number, y: number, text: string, anchor: 'middle' | 'end') =>
    marks.push({ kind: 'text', x, y, text, anchor, size: 9, faint: true });
  let top = MARGIN + TITLE;
  let before: readonly string[] = [];
  for (const { label, heads } of rows) {
    const names = heads.map(({ name }) => name);
    // Column names are repeated only when they change.
    if (names.some((columnName, i) => columnName !== before[i])) {
      names.forEach((columnName, i) =>
        name(left + i * (side + GAP) + side / 2, top + 4, columnName, 'middle')
      );
      top += NAME;
      before = names;
    }
    name(left - 6, top + side / 2, label, 'end');
    heads.forEach((head, i) => {
      const area = { x: left + i * (side + GAP), y: top, width: side, height: side };
      marks.push({ kind: 'raster', ...area, raster: rasterOf(figure, head, side) });
      marks.push({ kind: 'box', ...area });
      if (head.bar !== null) {
        const bar = { y: top + side + 1, width: side * head.bar, height: BAR - 1 };
        marks.push({ kind: 'box', ...area, ...bar, fill: accent });
      }
    });
    top += side + GAP + (heads.some(({ bar }) => bar !== null) ? BAR : 0);
  }
  return { title, width, height: top + MARGIN, marks };
}

/** The raster of a thumbnail: its entries, or its lines. */
function rasterOf(
  { atlas, mode, rampOf, regionOf }: ModelFigure,
  { thumbnail, layer, site }: ModelHead,
  side: number
): Raster {
  const [ramp, region] = [rampOf(layer), regionOf(site)];
  if (mode === 'lines') {
    const pixels = Math.round(side * FINE);
    const words = thumbnailPixels(atlas, { thumbnail, ramp, region }, pixels, mode);
    return { columns: pixels, rows: pixels, words };
  }
  const [, rows = 0, columns = 0] = atlas.shape;
  const words = Uint32Array.from({ length: rows * columns }, (_, at) => {
    const [down, across] = [Math.floor(at / columns) + 0.5, (at % columns) + 0.5];
    const drawn = !region || contains(region, down / rows, across / columns);
    return drawn ? (ramp[atlas.data[thumbnail * rows * columns + at] ?? 0] ?? 0) : 0;
  });
  return { columns, rows, words };
}
