import { effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';

/** A signal that follows another once it has stayed the same for `rest` milliseconds. */
export function rested<T>(source: ReadonlySignal<T>, rest: number): ReadonlySignal<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  const follow = (): void => {
    const now = source.value;
    clearTimeout(timer);
    timer = setTimeout(() => (late.value = now), rest);
  };
  const late = signal(source.peek(), {
    // Only while someone watches: a timer that nobody waits for keeps a panel alive.
    watched: () => (stop = untracked(() => effect(follow))),
    unwatched: () => {
      stop?.();
      clearTimeout(timer);
    }
  });
  return late;
}
