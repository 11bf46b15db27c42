import type { Signal } from '@preact/signals';

/** The dimension that the pointer or a key is on. */
export interface Caret {
  dimension: number;
  /** Whether a key has moved it, so that it is read aloud. */
  byKey: boolean;
}

/** The dimension of a strip that an event happened on; null beside the strips. */
export function dimensionAt(
  { target, offsetX }: MouseEvent,
  side: number,
  order: readonly number[]
): number | null {
  const strip = target instanceof Element ? target.closest('[data-strip]') : null;
  return strip ? (order[Math.floor(offsetX / side)] ?? null) : null;
}

/** Moves the caret by whole places of the order; from nowhere it starts at `from`. */
export function moveCaret(
  caret: Signal<Caret | null>,
  order: readonly number[],
  from: number | null,
  by: 1 | -1
): void {
  const at = caret.peek()?.dimension ?? from;
  const place = at === null ? (by > 0 ? -1 : order.length) : order.indexOf(at);
  const dimension = order[Math.max(0, Math.min(order.length - 1, place + by))];
  if (dimension !== undefined) {
    caret.value = { dimension, byKey: true };
  }
}
