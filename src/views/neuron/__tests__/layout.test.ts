import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columnsOf, layoutOf } from '../layout';

test('no dimension is thinner than a pixel, and each is of whole device pixels', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 2000 }),
      fc.integer({ min: 1, max: 512 }),
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom(1, 2, 3),
      (width, dimensions, numbers, scale) => {
        const { side, strip } = layoutOf(width, dimensions, numbers, scale);
        expect(side).toBeGreaterThanOrEqual(1);
        expect(Math.abs(side * scale - Math.round(side * scale))).toBeLessThan(1e-9);
        expect(strip).toBeCloseTo(side * dimensions);
      }
    )
  );
});

test('the columns fill a wide panel and scroll in a narrow one', () => {
  expect(layoutOf(880, 64, 4).total).toBeLessThanOrEqual(880);
  expect(layoutOf(300, 128, 4).total).toBeGreaterThan(300);
});

test('the strips are aligned with the columns', () => {
  const layout = layoutOf(600, 32, 3);
  const [token = 0, k = 0] = columnsOf(layout, 3).split(' ').map(parseFloat);
  expect(layout.k - token).toBe(layout.product - layout.k - k);
  const widths = columnsOf(layout, 3).split(' ').map(parseFloat);
  const gap = layout.k - token;
  expect(widths.reduce((sum, width) => sum + width + gap, -gap)).toBeCloseTo(layout.total);
});
