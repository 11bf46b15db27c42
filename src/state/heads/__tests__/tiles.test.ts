import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TILE } from '../../kernel/payload-key';
import { levelFor, pooled, tilesIn, topLevel } from '../tiles';

const length = fc.integer({ min: 1, max: 9000 });

describe('the level of a zoom', () => {
  test.each([
    [24, 0],
    [1, 0],
    [0.5, 1],
    [0.3, 2],
    [0.25, 2],
    [1 / 3000, 12]
  ])('of %d pixels a weight is %i', (pixels, level) => {
    expect(levelFor(pixels)).toBe(level);
  });

  test('is the finest whose pixels are no smaller than the screen’s', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 50, noNaN: true }), pixels => {
        const level = levelFor(pixels);
        expect(pixels * 2 ** level).toBeGreaterThan(1 - 1e-6);
        expect(level === 0 || pixels * 2 ** (level - 1) < 1 + 1e-6).toBe(true);
      })
    );
  });

  test('at the top has one tile, and the one below it has more', () => {
    fc.assert(
      fc.property(length, length, (queries, keys) => {
        const whole = { top: 0, left: 0, bottom: queries, right: keys };
        const top = topLevel(queries, keys);
        expect(tilesIn(whole, queries, keys, top)).toEqual([{ level: top, y: 0, x: 0 }]);
        expect(top === 0 || tilesIn(whole, queries, keys, top - 1).length > 1).toBe(true);
      })
    );
  });
});

describe('the tiles of a view', () => {
  /** A view of so many device pixels somewhere on, or beside, a matrix. */
  const view = fc
    .record({
      queries: length,
      keys: length,
      cell: fc.double({ min: 0.01, max: 24, noNaN: true }),
      x: fc.double({ min: -0.5, max: 1.5, noNaN: true }),
      y: fc.double({ min: -0.5, max: 1.5, noNaN: true }),
      width: fc.integer({ min: 1, max: 1500 }),
      height: fc.integer({ min: 1, max: 1500 })
    })
    .map(({ queries, keys, cell, x, y, width, height }) => {
      const [top, left] = [y * queries, x * keys];
      const part = { top, left, bottom: top + height / cell, right: left + width / cell };
      return { queries, keys, part, width, height, level: levelFor(cell) };
    });

  test('cover every weight in the view, exist, and are all visible', () => {
    fc.assert(
      fc.property(
        view,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ queries, keys, part, level }, down, across) => {
          const places = tilesIn(part, queries, keys, level);
          const side = TILE * 2 ** level;
          const names = places.map(({ y, x }) => `${y} ${x}`);
          expect(new Set(names).size).toBe(names.length);
          for (const { y, x } of places) {
            expect([y * side < queries, x * side < keys, y >= 0, x >= 0]).not.toContain(false);
            expect([y * side < part.bottom, (y + 1) * side > part.top]).not.toContain(false);
            expect([x * side < part.right, (x + 1) * side > part.left]).not.toContain(false);
          }
          const row = Math.floor(part.top + down * (part.bottom - part.top) * (1 - 1e-9));
          const column = Math.floor(part.left + across * (part.right - part.left) * (1 - 1e-9));
          if (row >= 0 && row < queries && column >= 0 && column < keys) {
            expect(names).toContain(`${Math.floor(row / side)} ${Math.floor(column / side)}`);
          }
        }
      )
    );
  });

  test('are no more than the view has room for, however long the text', () => {
    fc.assert(
      fc.property(view, ({ queries, keys, part, level, width, height }) => {
        const most = (Math.ceil(width / TILE) + 1) * (Math.ceil(height / TILE) + 1);
        expect(tilesIn(part, queries, keys, level).length).toBeLessThanOrEqual(most);
      })
    );
  });
});

test('pooled weights are the largest of their block; NaN counts for nothing, unless all is NaN', () => {
  const weight = fc.oneof(fc.float({ min: 0, max: 1, noNaN: true }), fc.constant(NaN));
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
    .chain(([rows, columns]) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        data: fc.array(weight, { minLength: rows * columns, maxLength: rows * columns })
      })
    );
  fc.assert(
    fc.property(matrix, fc.integer({ min: 0, max: 3 }), ({ rows, columns, data }, level) => {
      const whole = { shape: [rows, columns], data: Float32Array.from(data) };
      const { shape, data: pixels } = pooled(whole, level);
      const side = 2 ** level;
      expect(shape).toEqual([Math.ceil(rows / side), Math.ceil(columns / side)]);
      pixels.forEach((pixel, i) => {
        const [y, x] = [Math.floor(i / (shape[1] ?? 1)), i % (shape[1] ?? 1)];
        const block = [...whole.data].filter(
          (weight, at) =>
            Math.floor(Math.floor(at / columns) / side) === y &&
            Math.floor((at % columns) / side) === x &&
            !Number.isNaN(weight)
        );
        expect(pixel).toBe(block.length > 0 ? Math.max(...block) : NaN);
      });
    })
  );
});
