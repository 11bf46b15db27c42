import type { SiteSummary } from '../protocol/messages';
import type { Numbers } from './pictures';

/** One query of one head, taken apart: from its vector to its weights. */
export interface Neuron {
  /** The query's vector, as the scores use it. */
  q: Float32Array;
  /** Scores of all keys, first `q·k`, then after each term of the model; -inf where hidden. */
  steps: readonly Step[];
  weights: Float32Array;
  /** What takes part in the softmax beside the keys; null where the model has none. */
  sink: { score: number; weight: number } | null;
}

export interface Step {
  label: string;
  scores: Float32Array;
}

/** Names the column of the weights, which need not be the softmax of the last scores. */
export function weightsName(site: SiteSummary | null): 'softmax' | 'weight' {
  return site?.terms === 'changed' ? 'weight' : 'softmax';
}

/** The vectors of a head's keys, one after the other. */
export interface Vectors {
  keys: number;
  width: number;
  data: Float32Array;
}

/** Reads a `neuron` picture; null where its length is none that `keys` keys could have. */
export function neuronOf({ data, labels = [] }: Numbers, keys: number): Neuron | null {
  const width = data.length - keys * (labels.length + 1) - 2;
  if (!(data instanceof Float32Array) || width < 1) {
    return null;
  }
  const part = (index: number) => data.subarray(width + index * keys, width + (index + 1) * keys);
  const [score = NaN, weight = NaN] = data.subarray(-2);
  return {
    q: data.subarray(0, width),
    steps: labels.map((label, i) => ({ label, scores: part(i) })),
    weights: part(labels.length),
    sink: Number.isNaN(score) ? null : { score, weight }
  };
}

/** Reads a `vectors` picture. */
export function vectorsOf({ shape, data }: Numbers): Vectors | null {
  const [keys = 0, width = 0] = shape;
  return data instanceof Float32Array ? { keys, width, data } : null;
}

/** What a rotary embedding was seen to turn a dimension with. */
export interface Rotated {
  partner: number;
  /** Which of the pairs it is in, from 1, and of how many. */
  pair: number;
  pairs: number;
  /** Tokens in which the pair turns once; null where that did not show. */
  wavelength: number | null;
}

/** Reads the rotated pairs of a `vectors` picture, by dimension; empty where none were seen. */
export function rotatedOf({ pairs = [] }: Numbers): ReadonlyMap<number, Rotated> {
  const found = new Map<number, Rotated>();
  pairs.forEach(([first = -1, second = -1, tokens = 0], i) => {
    const own = { pair: i + 1, pairs: pairs.length, wavelength: tokens > 0 ? tokens : null };
    found.set(first, { partner: second, ...own });
    found.set(second, { partner: first, ...own });
  });
  return found;
}

/** What each dimension adds to each score, (keys, width): each row sums up to its `q·k`. */
export function productsOf(q: Float32Array, { keys, width, data }: Vectors): Vectors {
  const products = new Float32Array(keys * width);
  for (let key = 0, at = 0; key < keys; key++) {
    for (let i = 0; i < width; i++, at++) {
      products[at] = (q[i] ?? NaN) * (data[at] ?? NaN);
    }
  }
  return { keys, width, data: products };
}

/** Dimensions from the one that adds most to a key's score to the one that takes most off it. */
export function byContribution({ width, data }: Vectors, key: number): number[] {
  const added = (dimension: number): number => data[key * width + dimension] ?? 0;
  return inOrder(width).sort((a, b) => added(b) - added(a) || a - b);
}

/** Dimensions as the model has them. */
export function inOrder(width: number): number[] {
  return Array.from({ length: width }, (_, dimension) => dimension);
}

/** The key with the largest number; null where none is a number. */
export function largest(numbers: ArrayLike<number>): number | null {
  let best: number | null = null;
  for (let i = 0; i < numbers.length; i++) {
    if (!Number.isNaN(numbers[i]) && (best === null || (numbers[i] ?? 0) > (numbers[best] ?? 0))) {
      best = i;
    }
  }
  return best;
}

/**
 * The number that is shown at about three quarters of full strength: twice the root of the
 * mean square, so that a few outliers do not leave the rest blank.
 */
export function scaleOf(numbers: Float32Array): number {
  let [sum, count] = [0, 0];
  for (const number of numbers) {
    if (Number.isFinite(number)) {
      sum += number * number;
      count++;
    }
  }
  return sum > 0 ? 2 * Math.sqrt(sum / count) : 1;
}

/** Strength of a number from -1 to 1; NaN is 0. */
export function strength(number: number, scale: number): number {
  return Math.tanh(number / scale) || 0;
}
