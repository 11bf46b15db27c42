import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULTS, Display, type SavedDisplay } from '../display';

const stored = (saved: unknown): SavedDisplay => {
  const display = new Display();
  display.restore(saved);
  return display.toJSON();
};

/** Choices of which none is the default. */
const CHOSEN: SavedDisplay = {
  folded: ['neuron', 'model'],
  thumbnails: 'lines',
  sort: { score: 'entropy', ascending: true },
  filter: { layers: '0-5, 9', heads: '2', least: 0.25, most: 1 },
  colorBy: 'induction',
  zoom: 1.5,
  head: 'matrix',
  mass: 0.9,
  hideSpecial: true,
  words: true,
  dimensionOrder: 'contribution'
};

describe('how a panel draws', () => {
  test('is restored from what was stored', () => {
    expect(stored(JSON.parse(JSON.stringify(CHOSEN)))).toEqual(CHOSEN);
  });

  test.each([
    ['layer', { score: null, ascending: false }],
    ['entropy', { score: 'entropy', ascending: false }],
    ['entropy ascending', { score: 'entropy', ascending: true }]
  ])('takes the order %j as older versions stored it', (sort, order) => {
    expect(stored({ sort, colorBy: 'layer' })).toEqual({
      ...DEFAULTS,
      sort: order,
      colorBy: 'layer'
    });
  });

  test('keeps what an older version did not store', () => {
    expect(stored({ zoom: 2 })).toEqual({ ...DEFAULTS, zoom: 2 });
    expect(stored({ filter: { layers: '3', least: null } }).filter).toEqual({
      layers: '3',
      heads: '',
      least: null,
      most: null
    });
  });

  test('ignores invalid stored values', () => {
    const bad = { zoom: 40, mass: -1, head: 'circle', words: 1, folded: ['head', 3], sort: {} };
    expect(stored({ ...bad, colorBy: 'layer' })).toEqual({
      ...DEFAULTS,
      folded: ['head'],
      colorBy: 'layer'
    });
  });

  const anything = fc.jsonValue() as fc.Arbitrary<unknown>;
  const some = fc.record(
    Object.fromEntries(
      Object.entries(CHOSEN).map(([name, value]) => [
        name,
        fc.oneof(anything, fc.constant(value as unknown))
      ])
    ),
    { requiredKeys: [] }
  );

  test('has no -0, which JSON cannot store', () => {
    expect(stored({ mass: -0 }).mass).toBe(0);
  });

  test('is valid whatever was stored; each option is checked separately', () => {
    fc.assert(
      fc.property(fc.oneof(anything, some), saved => {
        const found = stored(saved);
        expect(stored(JSON.parse(JSON.stringify(found)))).toEqual(found);
        for (const [name, value] of Object.entries(CHOSEN)) {
          const changed = { ...(saved as object | null), [name]: value as unknown };
          expect(stored(changed)[name as keyof SavedDisplay]).toEqual(value);
        }
      })
    );
  });
});
