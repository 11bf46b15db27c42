/** A head's vectors and terms in the fake kernel, which add up to the weights that it shows. */
import type { Payload } from '../../src/protocol/messages';

interface Place {
  trace: string;
  item: number;
  site: number;
  head: number;
}

/** Steps of every score: the bias is whatever leads from the vectors to the weights. */
const LABELS = ['q·k', 'scale', 'bias', 'mask'];

/** A vector of a token: some dimensions are large in all tokens, as in real models. */
function vector(width: number, ...seeds: number[]): Float32Array {
  let x = seeds.reduce((sum, seed) => (sum * 69069 + seed + 1) >>> 0, 1);
  return Float32Array.from({ length: width }, (_, i) => {
    x = (x * 1664525 + 1013904223) >>> 0;
    return (x / 2 ** 31 - 1) * (i % 11 === 3 ? 6 : 2);
  });
}

export function keysOf({ item, site, head }: Omit<Place, 'trace'>, keys: number, width: number) {
  const data = new Float32Array(keys * width);
  for (let key = 0; key < keys; key++) {
    data.set(vector(width, item, site, head, key), key * width);
  }
  return data;
}

export function queryOf({ item, site, head }: Omit<Place, 'trace'>, query: number, width: number) {
  return vector(width, item, site, head, query + 100_003);
}

/**
 * One query's numbers, laid out as `Picture` says.
 *
 * The softmax of the last step is `weights`: their logarithms, -inf where they are zero; where
 * they sum to less than one, a sink takes the rest.
 */
export function neuronOf(place: Place, query: number, weights: Float32Array, width: number) {
  const keys = weights.length;
  const q = queryOf(place, query, width);
  const k = keysOf(place, keys, width);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const sink = sum < 1 - 1e-4 ? 1 - sum : NaN;
  const steps = LABELS.map(() => new Float32Array(keys));
  weights.forEach((weight, key) => {
    const product = q.reduce((total, number, i) => total + number * k[key * width + i]!, 0);
    const scaled = product / Math.sqrt(width);
    const biased = weight > 0 ? Math.log(weight) : scaled;
    const last = weight > 0 ? biased : -Infinity;
    [product, scaled, biased, last].forEach((score, i) => (steps[i]![key] = score));
  });
  const parts = [q, ...steps, weights, Float32Array.of(Math.log(sink), sink)];
  const data = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  parts.reduce((at, part) => (data.set(part, at), at + part.length), 0);
  return { shape: [data.length], labels: LABELS, data };
}

/** Rotated halves, as in Llama: all but the last quarter were seen to turn. */
export function pairsOf(width: number): number[][] {
  return Array.from({ length: (3 * width) / 8 }, (_, i) => [
    i,
    i + width / 2,
    i < 4 ? 6.25 * 10 ** i : 0
  ]);
}

/** Answers `trace/vectors` and `trace/neuron`, from the weights of the whole head. */
export function answerOf(
  kind: 'vectors' | 'neuron',
  { query = -1, ...place }: Place & { query?: number },
  matrix: Float32Array,
  keys: number,
  width: number,
  rotary = false
) {
  const { shape, data, ...labels } =
    kind === 'vectors'
      ? {
          shape: [keys, width],
          data: keysOf(place, keys, width),
          ...(rotary && { pairs: pairsOf(width) })
        }
      : neuronOf(place, query, matrix.slice(query * keys, (query + 1) * keys), width);
  const array = { dtype: 'f4', shape, buffer: 0, ...labels };
  const key = kind === 'neuron' ? { ...place, query } : place;
  const result = { kind, ...key, ...array } as Payload;
  return { result, buffers: [data.buffer as ArrayBuffer] };
}
