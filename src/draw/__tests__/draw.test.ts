import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { largestLines, type WeightSource } from '../weight-lines';
import { apart, headColors, perceived } from '../head-colors';
import { brokenLines } from '../line-breaks';
import { formatWeight } from '../format-number';
import { ramp } from '../palette';
import { RENDER_ALL, visibleRows } from '../visible-rows';

test.each([
  [0.9678, '0.968'],
  [0.1, '0.100'],
  [0.01234, '0.0123'],
  [0.00001234, '1.2e-5'],
  [1, '1.000'],
  [0, '0'],
  [NaN, 'NaN']
])('the weight %d is printed as %s', (weight, text) => {
  expect(formatWeight(weight)).toBe(text);
});

test('a ramp runs from its first color to its last, each weight darker than the one before', () => {
  const table = ramp([
    [255, 255, 255],
    [100, 150, 200],
    [10, 20, 30]
  ]);
  expect(table[0]).toBe(0xffffffff);
  expect(table[255]).toBe(0xff1e140a);
  const light = Array.from(
    table,
    word => (word & 255) + ((word >> 8) & 255) + ((word >> 16) & 255)
  );
  light.slice(1).forEach((sum, i) => expect(sum).toBeLessThanOrEqual(light[i] ?? 0));
});

test('lines hold every box once, in order, and none is too wide unless one box is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), fc.integer({ min: 1, max: 120 }), (widths, available) => {
      const lines = brokenLines(widths, available);
      const all = lines.flatMap(({ start, end }) => widths.slice(start, end));
      expect(all).toEqual(widths);
      for (const { start, end } of lines) {
        const used = widths.slice(start, end).reduce((sum, width) => sum + width, 0);
        expect(end - start === 1 || used <= available).toBe(true);
      }
    })
  );
});

describe('of a list', () => {
  test('that is short, every row is in the page', () => {
    expect(visibleRows(RENDER_ALL, 900, 100, 18)).toEqual({ start: 0, end: RENDER_ALL });
  });

  test('that is long, the rows in view are in the page, and few more', () => {
    fc.assert(
      fc.property(fc.integer({ min: RENDER_ALL + 1, max: 5000 }), fc.nat(90_000), (total, top) => {
        const at = Math.min(top, total * 18 - 300);
        const { start, end } = visibleRows(total, at, 300, 18);
        expect(start).toBeLessThanOrEqual(Math.floor(at / 18));
        expect(end).toBeGreaterThanOrEqual(Math.min(total, Math.ceil((at + 300) / 18)));
        expect(end - start).toBeLessThan(80);
      })
    );
  });
});

describe.each([false, true])('on a dark background: %s', dark => {
  const colors = headColors(12, dark);
  const sights = colors.map(color => {
    const bytes = color.match(/\d+/g)!.map(Number);
    const [r, g, b] = bytes.map(byte =>
      byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4
    );
    return { light: 0.2126 * r! + 0.7152 * g! + 0.0722 * b!, seen: perceived([r!, g!, b!]) };
  });

  test('the colors of twelve heads differ, also with color blindness', () => {
    const apartness = sights.flatMap(({ seen }, i) =>
      sights.slice(i + 1).map(other => apart(seen, other.seen))
    );
    expect(Math.min(...apartness)).toBeGreaterThan(0.06);
  });

  test('each has a contrast of 3:1 with the background', () => {
    for (const { light } of sights) {
      const background = dark ? 0.0056 : 1; // #111, white
      const [bright, dim] = light > background ? [light, background] : [background, light];
      expect((bright + 0.05) / (dim + 0.05)).toBeGreaterThan(3);
    }
  });

  test('a head keeps its color however many heads there are', () => {
    expect(headColors(64, dark).slice(0, 12)).toEqual(colors);
    expect(new Set(headColors(64, dark)).size).toBe(64);
  });
});

describe('of the curves', () => {
  const matrix = (length: number, at: (query: number, key: number) => number): WeightSource => ({
    queries: length,
    keys: length,
    each: (query, start, end, see) => {
      for (let key = start; key < end; key++) {
        see(key, at(query, key));
      }
    }
  });
  const weight = (query: number, key: number) => ((query * 7 + key * 13) % 100) / 100;
  const weights = matrix(300, weight);

  test('the heaviest are drawn, lightest first, up to the limit', () => {
    const lines = largestLines([weights], { start: 0, end: 300 }, 2000);
    expect(lines).toHaveLength(2000);
    const drawn = lines.map(({ weight }) => weight);
    expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
    // 900 of 90,000 weights have each of the 100 values: two values and a bit are drawn.
    expect(drawn[0]).toBe(0.97);
  });

  test('those are drawn that touch a row in view, each once', () => {
    const lines = largestLines([weights], { start: 10, end: 12 }, Infinity);
    const seen = (i: number): boolean => i === 10 || i === 11;
    expect(lines.every(({ query, key }) => seen(query) || seen(key))).toBe(true);
    expect(new Set(lines.map(({ query, key }) => query * 300 + key)).size).toBe(lines.length);
    const expected = Array.from(
      { length: 90_000 },
      (_, i) => [Math.floor(i / 300), i % 300] as const
    )
      .filter(([query, key]) => seen(query) || seen(key))
      .filter(([query, key]) => weight(query, key) >= 0.01).length;
    expect(lines).toHaveLength(expected);
  });

  test('of several heads, the bound holds for all together, and each curve names its head', () => {
    const heavier = matrix(300, (query, key) => weight(query, key) + 0.005);
    const lines = largestLines([weights, heavier], { start: 0, end: 300 }, 900);
    expect(lines).toHaveLength(900);
    expect(lines.every(({ head, weight }) => head === 1 && weight > 0.99)).toBe(true);
  });

  test('a weight that is not a number is not drawn', () => {
    const none = matrix(2, () => NaN);
    expect(largestLines([none], { start: 0, end: 2 })).toEqual([]);
  });
});
