import fc from 'fast-check';
import { expect, test } from 'vitest';
import { positionBeside } from '../preview-position';

const bounds = { left: 0, top: 0, width: 480, height: 600 };
const card = { width: 180, height: 220 };
const thumb = (left: number, top: number) => ({ left, top, width: 30, height: 30 });

test('a card stands right of its thumbnail, or left where there is no room', () => {
  expect(positionBeside(thumb(50, 100), card, bounds)).toEqual({ left: 88, top: 100 });
  expect(positionBeside(thumb(420, 100), card, bounds)).toEqual({ left: 232, top: 100 });
});

test('in a narrow panel it is below its thumbnail, or above', () => {
  const narrow = { ...bounds, width: 320 };
  expect(positionBeside(thumb(150, 100), card, narrow)?.top).toBe(138);
  expect(positionBeside(thumb(150, 500), card, narrow)?.top).toBe(272);
});

test('it never covers its thumbnail and never leaves the panel', () => {
  fc.assert(
    fc.property(
      fc.nat(450),
      fc.nat(570),
      fc.integer({ min: 200, max: 480 }),
      (left, top, width) => {
        const place = positionBeside(thumb(left, top), card, { ...bounds, width });
        if (place) {
          expect(place.left).toBeGreaterThanOrEqual(8);
          expect(place.left + card.width).toBeLessThanOrEqual(width - 8);
          expect(place.top + card.height).toBeLessThanOrEqual(592);
          const across = place.left >= left + 30 || place.left + card.width <= left;
          const down = place.top >= top + 30 || place.top + card.height <= top;
          expect(across || down).toBe(true);
        }
      }
    )
  );
});

test('there is none if it fits nowhere', () => {
  expect(positionBeside(thumb(10, 10), card, { ...bounds, height: 180 })).toBeNull();
});
