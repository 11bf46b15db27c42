import type { SiteSummary } from '../../protocol/messages';
import type { Numbers } from '../kernel/payload-cache';

/** All steps of one query in one head, from its vector to its weights. */
export interface Neuron {
  /** The query's vector, as the scores use it. */
  q: Float32Array;
  /** Scores of all keys: first `q·k`, then after each term of the model; -inf if masked. */
  steps: readonly Step[];
  weights: Float32Array;
  /** The learned sink that is part of the softmax; null if the model has none. */
  sink: { score: number; weight: number } | null;
}

export interface Step {
  label: string;
  scores: Float32Array;
}

/** Name of the weight column, as weights are not always the softmax of the last scores. */
export function weightsName(site: SiteSummary | null): 'softmax' | 'weight' {
  return site?.terms === 'changed' ? 'weight' : 'softmax';
}

/** The key vectors of a head, shape (keys, width) in C order. */
export interface Vectors {
  keys: number;
  width: number;
  data: Float32Array;
}

/** Decodes a `neuron` payload; null if its length does not match the number of keys. */
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

/** Decodes a `vectors` payload. */
export function vectorsOf({ shape, data }: Numbers): Vectors | null {
  const [keys = 0, width = 0] = shape;
  return data instanceof Float32Array ? { keys, width, data } : null;
}

/** The rotary embedding of one dimension, as detected. */
export interface Rotated {
  partner: number;
  /** Number of its pair, counted from 1, and the number of pairs. */
  pair: number;
  pairs: number;
  /** Tokens per full rotation; null if not detected. */
  wavelength: number | null;
}

/** Decodes the rotated pairs of a `vectors` payload, by dimension; empty if none were detected. */
export function rotatedOf({ pairs = [] }: Numbers): ReadonlyMap<number, Rotated> {
  const found = new Map<number, Rotated>();
  pairs.forEach(([first = -1, second = -1, tokens = 0], i) => {
    const shared = { pair: i + 1, pairs: pairs.length, wavelength: tokens > 0 ? tokens : null };
    found.set(first, { partner: second, ...shared });
    found.set(second, { partner: first, ...shared });
  });
  return found;
}

/** Contribution of each dimension to each score, (keys, width); each row sums to its `q·k`. */
export function productsOf(q: Float32Array, { keys, width, data }: Vectors): Vectors {
  const products = new Float32Array(keys * width);
  for (let key = 0, at = 0; key < keys; key++) {
    for (let i = 0; i < width; i++, at++) {
      products[at] = (q[i] ?? NaN) * (data[at] ?? NaN);
    }
  }
  return { keys, width, data: products };
}

/** Dimensions sorted by their contribution to a key's score, largest first. */
export function byContribution({ width, data }: Vectors, key: number): number[] {
  const added = (dimension: number): number => data[key * width + dimension] ?? 0;
  return inOrder(width).sort((a, b) => added(b) - added(a) || a - b);
}

/** Dimensions in the order of the model. */
export function inOrder(width: number): number[] {
  return Array.from({ length: width }, (_, dimension) => dimension);
}

/** Index of the largest number; null if all are NaN. */
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
 * The number that is drawn at about three quarters of full strength: twice the root mean square,
 * so that a few outliers do not leave the rest blank.
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

/** Strength of a number, from -1 to 1; 0 for NaN. */
export function strength(number: number, scale: number): number {
  return Math.tanh(number / scale) || 0;
}
