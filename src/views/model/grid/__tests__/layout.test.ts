import { expect, test } from 'vitest';
import { bandOf } from '../layout';

const MANY = 5000;

test('all of a few heads are in the page', () => {
  expect(bandOf(100, 0, 400, null)).toBeNull();
});

test('a band reaches past what is seen', () => {
  const band = bandOf(MANY, 1000, 400, null)!;
  expect(band.top).toBeLessThan(1000);
  expect(band.bottom).toBeGreaterThan(1400);
});

test('a short scroll keeps the same band, so that nothing is redrawn', () => {
  const before = bandOf(MANY, 1000, 400, null);
  expect(bandOf(MANY, 1001, 400, before)).toBe(before);
});

test('a long scroll or a higher view makes another band', () => {
  const before = bandOf(MANY, 1000, 400, null);
  expect(bandOf(MANY, 5000, 400, before)).toEqual(bandOf(MANY, 5000, 400, null));
  expect(bandOf(MANY, 1000, 4000, before)).toEqual(bandOf(MANY, 1000, 4000, null));
});
