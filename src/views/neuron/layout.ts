/** The columns of the neuron view, in CSS pixels. */
export interface Layout {
  token: number;
  /** Widths of one dimension and of a strip with all dimensions. */
  side: number;
  strip: number;
  /** Widths of a column with numbers and of the column with weights. */
  number: number;
  weight: number;
  /** Left edges of the strips of the keys and of the products. */
  k: number;
  product: number;
  /** Width of all columns; can exceed the panel if there are many dimensions. */
  total: number;
}

/** Space beside the columns, as in `style/neuron.css`. */
export const PADDING = 20;

/** Height of the two header rows. */
export const HEADER = 35;

/** Space between columns, as in `style/neuron.css`. */
const GAP = 6;

const NUMBER = 38;
const LEAST_WEIGHT = 62;
const MOST_WEIGHT = 160;
const LEAST_STRIP = 48;
const MOST_SIDE = 8;

/**
 * Fits the columns into a width.
 *
 * The two strips take as many whole device pixels per dimension as fit, but at least one CSS
 * pixel, and the weights take the remaining width.
 *
 * @param dimensions - Length of the head's vectors.
 * @param numbers - Number of columns with numbers.
 * @param scale - Device pixels per CSS pixel.
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

/** The columns as `grid-template-columns`. */
export function columnsOf({ token, strip, number, weight }: Layout, numbers: number): string {
  const all = [token, strip, strip, ...Array.from({ length: numbers }, () => number), weight];
  return all.map(width => `${width}px`).join(' ');
}
