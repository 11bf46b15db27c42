/** A small picture of single weights or values: an entry is a crisp block. */
export interface Raster {
  columns: number;
  rows: number;
  /** A little-endian RGBA word for each entry, row by row. */
  words: Uint32Array;
}

/** What a figure is made of, in CSS pixels from its upper left corner. */
export type Mark =
  | {
      kind: 'text';
      x: number;
      /** Of the middle of the line. */
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
      colour: string;
      opacity: number;
      width: number;
    }
  | {
      kind: 'box';
      x: number;
      y: number;
      width: number;
      height: number;
      /** CSS colour of the area; without one it is a frame. */
      fill?: string;
      opacity?: number;
    }
  | { kind: 'raster'; x: number; y: number; width: number; height: number; raster: Raster };

/** A figure before it has a format. */
export interface Scene {
  title: string;
  width: number;
  height: number;
  marks: Mark[];
}

/** Text in a figure, in CSS pixels. */
export const SIZE = 12;

/** Height of a token's row. */
export const ROW = 16;

/** Room for the title, and around everything. */
export const TITLE = 28;
export const MARGIN = 12;

/** A title as every figure has it. */
export function titled(title: string): Mark {
  return { kind: 'text', x: MARGIN, y: MARGIN + 8, text: title, anchor: 'start', bold: true };
}
