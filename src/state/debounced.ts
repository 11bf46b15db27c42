import { effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';

/** Returns a signal that takes the value of another when that has not changed for `rest` milliseconds. */
export function debounced<T>(source: ReadonlySignal<T>, rest: number): ReadonlySignal<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  const follow = (): void => {
    const now = source.value;
    clearTimeout(timer);
    timer = setTimeout(() => (late.value = now), rest);
  };
  const late = signal(source.peek(), {
    // Only while watched: a pending timer would keep a closed panel in memory.
    watched: () => (stop = untracked(() => effect(follow))),
    unwatched: () => {
      stop?.();
      clearTimeout(timer);
    }
  });
  return late;
}
