import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  byContribution,
  inOrder,
  largest,
  neuronOf,
  productsOf,
  rotatedOf,
  scaleOf,
  strength,
  vectorsOf
} from '../neuron';

function payload(parts: number[][], labels: string[]) {
  const data = Float32Array.from(parts.flat());
  return { shape: [data.length], data, labels };
}

describe('a neuron payload', () => {
  test('is read as vector, steps, weights and sink', () => {
    const parts = [
      [1, -2, 3],
      [4, 5],
      [2, -Infinity],
      [0.75, 0],
      [0.5, 0.25]
    ];
    const neuron = neuronOf(payload(parts, ['q·k', 'mask']), 2);
    expect(neuron && [...neuron.q]).toEqual([1, -2, 3]);
    expect(neuron?.steps.map(({ label, scores }) => [label, ...scores])).toEqual([
      ['q·k', 4, 5],
      ['mask', 2, -Infinity]
    ]);
    expect(neuron && [...neuron.weights]).toEqual([0.75, 0]);
    expect(neuron?.sink).toEqual({ score: 0.5, weight: 0.25 });
  });

  test('of a head without a sink has none', () => {
    expect(neuronOf(payload([[1], [4], [1], [NaN, NaN]], ['q·k']), 1)?.sink).toBeNull();
  });

  test('of another number of keys is refused', () => {
    expect(neuronOf(payload([[1], [4], [1], [NaN, NaN]], ['q·k']), 2)).toBeNull();
  });
});

test('the products of each key sum up to its score', () => {
  const vectors = vectorsOf({ shape: [2, 3], data: Float32Array.of(1, 2, 3, -4, 0, 5) });
  const products = vectors && productsOf(Float32Array.of(2, -1, 0.5), vectors);
  expect(products && [...products.data]).toEqual([2, -2, 1.5, -8, -0, 2.5]);
});

test('dimensions are in order of what they add to the score of one key', () => {
  const products = { keys: 2, width: 4, data: Float32Array.of(0, 0, 0, 0, -3, 2, 7, 2) };
  expect(byContribution(products, 1)).toEqual([2, 1, 3, 0]);
  expect(byContribution(products, 0)).toEqual(inOrder(4));
});

test('every dimension has exactly one place in either order', () => {
  fc.assert(
    fc.property(fc.float32Array({ minLength: 1, maxLength: 50 }), data => {
      const order = byContribution({ keys: 1, width: data.length, data }, 0);
      expect([...order].sort((a, b) => a - b)).toEqual(inOrder(data.length));
    })
  );
});

test('the largest number is found among NaN and infinities', () => {
  expect(largest([NaN, -Infinity, 2, NaN, 5, 5])).toBe(4);
  expect(largest([-Infinity])).toBe(0);
  expect(largest([NaN])).toBeNull();
  expect(largest([])).toBeNull();
});

test('strength is odd, grows with magnitude and is zero for NaN', () => {
  expect(strength(0, 2)).toBe(0);
  expect(strength(-3, 2)).toBeCloseTo(-strength(3, 2));
  expect(strength(3, 2)).toBeCloseTo(Math.tanh(1.5));
  expect(strength(NaN, 2)).toBe(0);
  expect(strength(-Infinity, 2)).toBe(-1);
});

test('the scale is twice the root mean square of the finite values', () => {
  expect(scaleOf(Float32Array.of(3, -3, -Infinity, NaN))).toBeCloseTo(6);
  expect(scaleOf(new Float32Array(4))).toBe(1);
});

describe('rotated pairs', () => {
  test('are found from either dimension, without a period if it is unknown', () => {
    const pairs = [
      [0, 4, 6.28],
      [1, 5, 0]
    ];
    const rotated = rotatedOf({ shape: [0, 8], data: new Float32Array(), pairs });
    expect(rotated.get(4)).toEqual({ partner: 0, pair: 1, pairs: 2, wavelength: 6.28 });
    expect(rotated.get(1)).toEqual({ partner: 5, pair: 2, pairs: 2, wavelength: null });
    expect(rotated.has(2)).toBe(false);
  });

  test('are empty if none were detected', () => {
    expect(rotatedOf({ shape: [0, 8], data: new Float32Array() }).size).toBe(0);
  });
});
