import { effect, type ReadonlySignal } from '@preact/signals-core';

/** Resolves when a signal is true, or when `until` aborts. */
export async function whenTrue(wanted: ReadonlySignal<boolean>, until: AbortSignal): Promise<void> {
  let stop: (() => void) | undefined;
  await new Promise<void>(resolve => {
    until.addEventListener('abort', () => resolve(), { once: true });
    stop = effect(() => {
      if (wanted.value || until.aborted) {
        resolve();
      }
    });
  });
  stop?.();
}
