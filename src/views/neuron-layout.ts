/** Widths of the neuron view's columns, in CSS pixels. */
export interface Layout {
  token: number;
  /** Width of one dimension, and of a strip of all. */
  side: number;
  strip: number;
  /** Width of a column that holds a number, and of the weights' column. */
  number: number;
  weight: number;
  /** Left edges of the keys' strips and of the products' strips. */
  k: number;
  product: number;
  /** Width of all columns: more than there is room where dimensions are many. */
  total: number;
}

/** Space between columns, as in `style/neuron.css`. */
const GAP = 6;

const NUMBER = 38;
const LEAST_WEIGHT = 62;
const MOST_WEIGHT = 160;
const LEAST_STRIP = 48;
const MOST_SIDE = 8;

/**
 * Fits the columns into a width: two strips as wide as there is room, in whole device pixels,
 * at least one CSS pixel a dimension and wide enough to point at; what is left goes to the
 * weights.
 *
 * @param dimensions - Width of the head's vectors.
 * @param numbers - How many columns hold a number.
 */
export function layoutOf(width: number, dimensions: number, numbers: number, scale = 1): Layout {
  const token = Math.round(Math.max(60, Math.min(132, width * 0.16)));
  const fixed = token + numbers * (NUMBER + GAP) + 3 * GAP;
  const room = (width - fixed - LEAST_WEIGHT) / 2 / Math.max(1, dimensions);
  const least = Math.max(1, Math.ceil((LEAST_STRIP * scale) / Math.max(1, dimensions)) / scale);
  const side = Math.min(MOST_SIDE, Math.max(least, Math.floor(room * scale) / scale));
  const strip = side * dimensions;
  const rest = width - fixed - 2 * strip;
  const weight = Math.max(LEAST_WEIGHT, Math.min(MOST_WEIGHT, rest));
  const k = token + GAP;
  return {
    token,
    side,
    strip,
    number: NUMBER,
    weight,
    k,
    product: k + strip + GAP,
    total: fixed + 2 * strip + weight
  };
}

/** The columns as CSS has them. */
export function columnsOf({ token, strip, number, weight }: Layout, numbers: number): string {
  const all = [token, strip, strip, ...Array.from({ length: numbers }, () => number), weight];
  return all.map(width => `${width}px`).join(' ');
}
