import { effect } from '@preact/signals-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HandBackend,
  headPayload,
  headKey,
  settled,
  thumbnailsPayload
} from '../../__tests__/kernel';
import { PayloadCache } from '../payload-cache';

/** Wants a head's picture until the returned function is called. */
function watch(payloads: PayloadCache, head: number): () => void {
  return payloads.want(headKey('t', head)).subscribe(() => undefined);
}

function made(limit?: number) {
  const payloads = new PayloadCache(limit);
  const backend = new HandBackend();
  payloads.attach(backend);
  return { payloads, backend };
}

describe('a payload', () => {
  test('is requested once for all watchers', async () => {
    const { payloads, backend } = made();
    const seen: string[] = [];
    const stops = [1, 2].map(() =>
      effect(() => {
        seen.push(payloads.want(headKey('t', 1)).value.state);
      })
    );
    expect(backend.open.map(({ params }) => params)).toEqual([
      { trace: 't', item: 0, site: 0, head: 1 }
    ]);
    const weights = new Float32Array([1, 0, 0.25, 0.75]);
    backend.open[0]?.answer(headPayload('t', 1, 2), [weights.buffer]);
    await settled();
    expect(seen).toEqual(['pending', 'pending', 'ready', 'ready']);
    const load = payloads.want(headKey('t', 1)).peek();
    expect(load.state === 'ready' && load.payload.data).toEqual(weights);
    stops.forEach(stop => stop());
  });

  test('is no longer requested when it is not watched', async () => {
    const { payloads, backend } = made();
    const stop = watch(payloads, 1);
    stop();
    expect(backend.open[0]?.signal?.aborted).toBe(true);
    await settled();
    expect(payloads.want(headKey('t', 1)).peek().state).toBe('pending');
  });

  test('that has arrived in a push is not requested', () => {
    const { payloads, backend } = made();
    payloads.put(headPayload('t', 1, 1), [new Float32Array([1]).buffer]);
    const stop = watch(payloads, 1);
    expect(backend.open).toEqual([]);
    stop();
  });

  test('whose request a push overtakes is taken from the push', async () => {
    const { payloads, backend } = made();
    const stop = watch(payloads, 1);
    payloads.put(headPayload('t', 1, 1), [new Float32Array([1]).buffer]);
    expect(backend.open[0]?.signal?.aborted).toBe(true);
    await settled();
    expect(payloads.want(headKey('t', 1)).peek().state).toBe('ready');
    stop();
  });

  test('that was refused has the reason and is requested again by the next watcher', async () => {
    const { payloads, backend } = made();
    let stop = watch(payloads, 1);
    backend.open[0]?.refuse('The trace is gone.');
    await settled();
    expect(payloads.want(headKey('t', 1)).peek()).toEqual({
      state: 'failed',
      why: 'The trace is gone.'
    });
    stop();
    stop = watch(payloads, 1);
    expect(backend.open).toHaveLength(2);
    stop();
  });

  test('of another size than it says is refused', () => {
    const { payloads } = made();
    payloads.put(headPayload('t', 1, 2), [new Float32Array([1]).buffer]);
    expect(payloads.want(headKey('t', 1)).peek().state).toBe('failed');
  });

  test('of one kernel is not shown for another that uses the same ids', () => {
    const { payloads } = made();
    payloads.put(headPayload('t', 1, 1), [new Float32Array([1]).buffer]);
    const next = new HandBackend();
    const stop = watch(payloads, 1);
    payloads.attach(next);
    expect(payloads.want(headKey('t', 1)).peek().state).toBe('pending');
    expect(next.asked('trace/head')).toHaveLength(1);
    stop();
  });
});

describe('sampled thumbnails', () => {
  const payloadKey = { kind: 'thumbnails', trace: 't', item: 0 } as const;
  const pixel = (value: number): ArrayBuffer[] => [new Uint8Array([value]).buffer];
  const asked = (backend: HandBackend) =>
    backend.open.map(({ params }) => (params as { sampled: boolean }).sampled);

  test('are shown until the complete ones arrive', async () => {
    const { payloads, backend } = made();
    const seen: unknown[] = [];
    const stop = payloads.want(payloadKey).subscribe(load => {
      seen.push(load.state === 'ready' ? [load.payload.data[0], load.sampled] : load.state);
    });
    backend.open[0]?.answer(thumbnailsPayload('t', true), pixel(3));
    await settled();
    expect(asked(backend)).toEqual([true, false]);
    backend.open[1]?.answer(thumbnailsPayload('t', false), pixel(7));
    await settled();
    expect(seen).toEqual(['pending', [3, true], [7, false]]);
    expect(backend.open).toHaveLength(2);
    stop();
  });

  test('from a push are refined as soon as they are watched', () => {
    const { payloads, backend } = made();
    payloads.put(thumbnailsPayload('t', true), pixel(3));
    expect(backend.open).toEqual([]);
    const stop = payloads.want(payloadKey).subscribe(() => undefined);
    expect(asked(backend)).toEqual([false]);
    stop();
    expect(backend.open[0]?.signal?.aborted).toBe(true);
    expect(payloads.want(payloadKey).peek()).toMatchObject({ state: 'ready', sampled: true });
  });

  test('never replace complete ones', () => {
    const { payloads } = made();
    payloads.put(thumbnailsPayload('t', false), pixel(7));
    payloads.put(thumbnailsPayload('t', true), pixel(3));
    expect(payloads.want(payloadKey).peek()).toMatchObject({ sampled: false });
  });

  test('stay, with the reason, if the complete ones are refused', async () => {
    const { payloads, backend } = made();
    payloads.put(thumbnailsPayload('t', true), pixel(3));
    const stop = payloads.want(payloadKey).subscribe(() => undefined);
    backend.open[0]?.refuse('Too little memory.');
    await settled();
    const load = payloads.want(payloadKey).peek();
    expect(load).toMatchObject({ state: 'ready', sampled: true, why: 'Too little memory.' });
    expect(backend.open).toHaveLength(1);
    stop();
  });

  test('show the progress of the complete ones', async () => {
    const { payloads, backend } = made();
    payloads.put(thumbnailsPayload('t', true), pixel(3));
    const stop = payloads.want(payloadKey).subscribe(() => undefined);
    const progress = { id: 1, done: 2, total: 8, operation: 'thumbnails' };
    backend.open[0]?.onProgress?.(progress);
    expect(payloads.progress(payloadKey).value).toEqual(progress);
    backend.open[0]?.answer(thumbnailsPayload('t', false), pixel(7));
    await settled();
    expect(payloads.progress(payloadKey).value).toBeNull();
    stop();
  });
});

test('the cache never exceeds its limit', () => {
  const step = fc.record({
    what: fc.constantFrom('put', 'watch', 'leave', 'forget'),
    head: fc.nat(7),
    side: fc.integer({ min: 1, max: 6 })
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 0, max: 400 }),
      (steps, limit) => {
        const { payloads } = made(limit);
        const stops = new Map<number, () => void>();
        for (const { what, head, side } of steps) {
          if (what === 'put') {
            payloads.put(headPayload('t', head, side), [new Float32Array(side * side).buffer]);
          } else if (what === 'watch') {
            stops.get(head)?.();
            stops.set(head, watch(payloads, head));
          } else if (what === 'leave') {
            stops.get(head)?.();
            stops.delete(head);
          } else {
            payloads.forget(['t']);
          }
          const watched = [...stops.keys()].reduce((sum, on) => {
            const load = payloads.want(headKey('t', on)).peek();
            return sum + (load.state === 'ready' ? load.payload.data.byteLength : 0);
          }, 0);
          expect(payloads.bytes).toBeLessThanOrEqual(Math.max(limit, watched));
          expect(payloads.bytes).toBeGreaterThanOrEqual(watched);
        }
        stops.forEach(stop => stop());
        payloads.forget(['t']);
        expect(payloads.bytes).toBe(0);
      }
    )
  );
});
