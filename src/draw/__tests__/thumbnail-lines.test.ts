import { expect, test } from 'vitest';
import { FAINTEST, linesOf } from '../thumbnail-lines';

const at = (lines: Uint8Array, y: number, x: number) => lines[y * 8 + x];

test('a weight is a line from its query on the left to its key on the right', () => {
  // Query 0 of 2 attends to key 1: from a quarter of the height to three quarters.
  const lines = linesOf([0, 255, 0, 0], 0, 2, 2, 8);
  const centre = (x: number): number => {
    const column = Array.from({ length: 8 }, (_, y) => at(lines, y, x) ?? 0);
    const sum = column.reduce((a, b) => a + b);
    return column.reduce((moment, value, y) => moment + (value * (y + 0.5)) / sum, 0);
  };
  expect(centre(0)).toBeCloseTo(2, 1);
  expect(centre(7)).toBeCloseTo(6, 1);
  expect(centre(3.5 - 0.5)).toBeLessThan(centre(4));
});

test('a line is as strong as its weight in every column that it crosses', () => {
  const lines = linesOf([0, 200, 0, 0], 0, 2, 2, 8);
  for (let x = 0; x < 8; x++) {
    const sum = Array.from({ length: 8 }, (_, y) => at(lines, y, x) ?? 0).reduce((a, b) => a + b);
    expect(Math.abs(sum - 200)).toBeLessThanOrEqual(2);
  }
});

test('where lines cross, the heavier one is visible', () => {
  const lines = linesOf([0, 60, 240, 0], 0, 2, 2, 8);
  expect(Math.max(...lines)).toBeLessThanOrEqual(240);
  expect(at(lines, 2, 0)).toBeLessThan(at(lines, 5, 0) ?? 0);
});

test('invisible lines are not drawn', () => {
  expect(Math.max(...linesOf([FAINTEST - 1], 0, 1, 1, 4))).toBe(0);
  expect(Math.max(...linesOf([FAINTEST], 0, 1, 1, 4))).toBeGreaterThan(0);
});

test('only the requested thumbnail is drawn', () => {
  expect(Math.max(...linesOf([255, 0], 1, 1, 1, 4))).toBe(0);
});

test('lines of more entries than pixels stay inside', () => {
  const lines = linesOf(new Uint8Array(48 * 48).fill(255), 0, 48, 48, 16);
  expect(lines).toHaveLength(256);
  expect(Math.min(...lines)).toBeGreaterThan(0);
});
