import { signal } from '@preact/signals';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Viewport, Piece } from '../../../../draw/tiles';
import { TILE_ONE, type TileKey } from '../../../../protocol/messages';
import { HandBackend, settled, state, trace } from '../../../../state/__tests__/kernel';
import { PanelState } from '../../../../state/panel/panel';
import { MatrixWeights } from '../weights';

/** Tokens of a text whose heads have three levels of tiles. */
const LENGTH = 1000;

describe('the matrix of a long head', () => {
  let panel: PanelState;
  let backend: HandBackend;
  const viewport = signal<Viewport>(null as never);
  const stops: (() => void)[] = [];

  beforeEach(() => {
    panel = new PanelState('p');
    backend = new HandBackend();
    const long = trace('t1', { ids: Array.from({ length: LENGTH }, (_, i) => i) });
    panel.session.attach(backend, state(1, { traces: [long] }));
    viewport.value = at(0.25);
  });

  afterEach(() => {
    stops.splice(0).forEach(stop => stop());
    panel.dispose();
    panel.session.dispose();
  });

  function at(cell: number, x = 0, y = 0): Viewport {
    return { cell, x, y, width: 256, height: 256, rows: LENGTH, columns: LENGTH };
  }

  function watched() {
    const cells = new MatrixWeights(panel);
    const [pieces, status] = [cells.pieces(viewport), cells.status(viewport)];
    stops.push(pieces.subscribe(() => undefined));
    stops.push(status.subscribe(() => undefined));
    return { cells, pieces, status };
  }

  const asked = () =>
    backend
      .asked('trace/tile')
      .filter(({ signal }) => !signal?.aborted)
      .map(({ params }) => params as TileKey);

  /** Answers the tiles that are asked for, each pixel with one byte or weight. */
  async function answer(fill: number): Promise<void> {
    for (const { params, answer } of backend.asked('trace/tile')) {
      const { level, y, x } = params as { level: number; y: number; x: number };
      const side = 2 ** level;
      const shape = [y, x].map(at => Math.min(256, Math.ceil(LENGTH / side) - 256 * at));
      const size = (shape[0] ?? 0) * (shape[1] ?? 0);
      const data = level === 0 ? new Float32Array(size) : new Uint8Array(size);
      const place = { trace: 't1', item: 0, site: 0, head: 0, level, y, x };
      const dtype = level === 0 ? 'f4' : 'u1';
      answer({ kind: 'tile', dtype, ...place, shape, buffer: 0 }, [data.fill(fill).buffer]);
    }
    await settled();
  }

  const places = (pieces: readonly Piece[]) =>
    pieces.map(({ top, left, bottom, right }) => [top, left, bottom, right]);

  test('asks for the one tile that shows all of it, which ends where the text does', async () => {
    const { pieces, status } = watched();
    expect(asked().map(({ level, y, x }) => [level, y, x])).toEqual([[2, 0, 0]]);
    expect([pieces.value, status.value]).toEqual([[], 'pending']);
    await answer(127);
    expect(status.value).toBe('ready');
    expect(places(pieces.value)).toEqual([[0, 0, LENGTH, LENGTH]]);
  });

  test('keeps coarse tiles until finer ones arrive, and then draws only these', async () => {
    const { pieces, status } = watched();
    await answer(127);
    const coarse = pieces.value;
    viewport.value = at(1, 300, 20);
    expect(asked().map(({ level, y, x }) => [level, y, x])).toEqual([
      [0, 0, 1],
      [0, 0, 2],
      [0, 1, 1],
      [0, 1, 2]
    ]);
    expect([pieces.value, status.value]).toEqual([coarse, 'pending']);
    await answer(0.5);
    expect(status.value).toBe('ready');
    expect(places(pieces.value)).toEqual([
      [0, 256, 256, 512],
      [0, 512, 256, 768],
      [256, 256, 512, 512],
      [256, 512, 512, 768]
    ]);
  });

  test('cancels tiles that left the view before they arrived', () => {
    watched();
    viewport.value = at(1, 0, 0);
    viewport.value = at(1, 600, 600);
    expect(asked().map(({ level, y, x }) => [level, y, x])).toEqual([
      [0, 2, 2],
      [0, 2, 3],
      [0, 3, 2],
      [0, 3, 3]
    ]);
  });

  test('reads a byte as the approximate maximum of its weights, and the one above 1 as NaN', async () => {
    const { cells, pieces } = watched();
    await answer(127);
    expect(cells.at(5, 7, pieces.value)).toEqual({ weight: 0.5, exact: false, side: 4 });
    panel.selection.setFocus({ site: 0, head: 1 });
    await settled();
    const tile = backend.asked('trace/tile').at(-1);
    const place = { trace: 't1', item: 0, site: 0, head: 1, level: 2, y: 0, x: 0 };
    const payload = { kind: 'tile', dtype: 'u1', ...place, shape: [250, 250], buffer: 0 };
    tile?.answer(payload, [new Uint8Array(250 * 250).fill(TILE_ONE + 1).buffer]);
    await settled();
    expect(cells.at(5, 7, pieces.value)).toEqual({ weight: NaN, exact: false, side: 4 });
  });

  test('reads a weight of the finest tiles exactly', async () => {
    const { cells, pieces } = watched();
    viewport.value = at(1);
    await answer(0.25);
    expect(cells.at(5, 7, pieces.value)).toEqual({ weight: 0.25, exact: true, side: 1 });
  });
});
