import { describe, expect, test } from 'vitest';
import type { SiteSummary } from '../../../protocol/messages';
import { site, trace } from '../../__tests__/kernel';
import { groupsOf } from '../layer-groups';

function model(...sites: Partial<SiteSummary>[]) {
  return groupsOf(trace('t', { sites: sites.map((more, i) => site(i, 3, more)) }));
}

describe('the model view', () => {
  test('parts encoder, decoder and cross-attention', () => {
    const groups = model(
      { kind: 'encoder' },
      { kind: 'decoder', layer: 0 },
      { kind: 'cross', layer: 0 }
    );
    expect(groups.map(({ kind }) => kind)).toEqual(['encoder', 'decoder', 'cross']);
  });

  test('leaves a gap for a layer without attention, with its true number', () => {
    const [group] = model({ layer: 1 }, { layer: 3 });
    expect(group?.rows.map(row => [row.layer, row.site?.index])).toEqual([
      [0, undefined],
      [1, 0],
      [2, undefined],
      [3, 1]
    ]);
  });

  test('leaves gaps after the last layer with attention, where the stack goes on', () => {
    const [group] = model({ layer: 1, depth: 4 });
    expect(group?.rows.map(row => [row.layer, row.site?.index])).toEqual([
      [0, undefined],
      [1, 0],
      [2, undefined],
      [3, undefined]
    ]);
  });

  test('finds a site’s thumbnails after those of all earlier calls', () => {
    const [encoder, cross] = model(
      { heads: 2 },
      { kind: 'cross', layer: 0, heads: 3 },
      { heads: 4 }
    );
    expect(encoder?.rows.filter(row => row.site).map(row => row.first)).toEqual([0, 5]);
    expect(cross?.rows.map(row => row.first)).toEqual([2]);
    expect(encoder?.columns).toBe(4);
  });
});

describe('stacks of layers', () => {
  /** Headings of a model's groups, by the kinds and stacks of its calls. */
  const parts = (...stacks: [SiteSummary['kind'], string][]) =>
    model(...stacks.map(([kind, stack]) => ({ kind, stack, layer: 0 }))).map(({ kind, part }) => [
      kind,
      part
    ]);

  test('of one kind are parted, and named by what tells their paths apart', () => {
    expect(
      parts(
        ['encoder', 'model.vision_tower.encoder.layers.#.attn'],
        ['decoder', 'model.language_model.layers.#.attn']
      )
    ).toEqual([
      ['encoder', 'vision_tower'],
      ['decoder', 'language_model']
    ]);
  });

  test('of an encoder-decoder are named by their kinds alone', () => {
    expect(
      parts(
        ['encoder', 'encoder.block.#.layer.#.SelfAttention'],
        ['decoder', 'decoder.block.#.layer.#.SelfAttention'],
        ['cross', 'decoder.block.#.layer.#.EncDecAttention']
      )
    ).toEqual([
      ['encoder', ''],
      ['decoder', ''],
      ['cross', '']
    ]);
  });

  test('that run twice are named by the run', () => {
    const groups = model(
      { stack: 'visual.blocks.#.attn', layer: 0 },
      { stack: 'visual.blocks.#.attn (2)', layer: 0 },
      { stack: 'text.layers.#.attn', layer: 0, kind: 'decoder' }
    );
    expect(groups.map(({ part, run }) => part + run)).toEqual(['visual', 'visual (2)', 'text']);
  });

  test('that are alone have no name beside their kind', () => {
    expect(parts(['decoder', 'h.#.attn'], ['decoder', 'h.#.attn'])).toEqual([['decoder', '']]);
  });

  test('have long names where one name is not enough', () => {
    expect(
      parts(['encoder', 'm.a.x.#.attn'], ['encoder', 'm.a.y.#.attn'], ['encoder', 'm.b.#.attn'])
    ).toEqual([
      ['encoder', 'a.x'],
      ['encoder', 'a.y'],
      ['encoder', 'b']
    ]);
  });

  test('that are called twice have a row for each call', () => {
    const [group] = model({ layer: 0 }, { layer: 1 }, { layer: 0 }, { layer: 1 });
    expect(group?.rows.map(({ layer, nth, site }) => [layer, nth, site?.index])).toEqual([
      [0, 0, 0],
      [0, 1, 2],
      [1, 0, 1],
      [1, 1, 3]
    ]);
  });
});
