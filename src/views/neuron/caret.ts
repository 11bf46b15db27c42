import type { Signal } from '@preact/signals';

/** The dimension under the pointer or the keyboard caret. */
export interface Caret {
  dimension: number;
  /** Whether a key moved the caret, so that screen readers announce it. */
  byKey: boolean;
}

/** The dimension of the strip at a pointer event; null outside of strips. */
export function dimensionAt(
  { target, offsetX }: MouseEvent,
  side: number,
  order: readonly number[]
): number | null {
  const strip = target instanceof Element ? target.closest('[data-strip]') : null;
  return strip ? (order[Math.floor(offsetX / side)] ?? null) : null;
}

/** Moves the caret to the next or previous dimension of an order; without a caret, from `from`. */
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
