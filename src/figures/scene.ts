/** A raster of weights or values; each entry is drawn as a sharp block. */
export interface Raster {
  columns: number;
  rows: number;
  /** A little-endian RGBA word for each entry, row by row. */
  words: Uint32Array;
}

/** An element of a figure, in CSS pixels from the upper left corner. */
export type Mark =
  | {
      kind: 'text';
      x: number;
      /** The vertical center of the line. */
      y: number;
      text: string;
      anchor: 'start' | 'middle' | 'end';
      size?: number;
      bold?: boolean;
      faint?: boolean;
      /** Reads from bottom to top. */
      turned?: boolean;
    }
  | {
      kind: 'curve';
      from: readonly [number, number];
      to: readonly [number, number];
      color: string;
      opacity: number;
      width: number;
    }
  | {
      kind: 'box';
      x: number;
      y: number;
      width: number;
      height: number;
      /** CSS color of the area; without it, only a frame is drawn. */
      fill?: string;
      opacity?: number;
    }
  | { kind: 'raster'; x: number; y: number; width: number; height: number; raster: Raster };

/** A figure, independent of the file format. */
export interface Scene {
  title: string;
  width: number;
  height: number;
  marks: Mark[];
}

/** Font size in CSS pixels. */
export const SIZE = 12;

/** Height of a row of a token, in CSS pixels. */
export const ROW = 16;

/** Height of the title, and margin of the figure, in CSS pixels. */
export const TITLE = 28;
export const MARGIN = 12;

/** The title of a figure. */
export function titled(title: string): Mark {
  return { kind: 'text', x: MARGIN, y: MARGIN + 8, text: title, anchor: 'start', bold: true };
}
