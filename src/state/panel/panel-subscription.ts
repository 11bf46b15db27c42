import { computed, effect, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { SubscribeParams } from '../../protocol/messages';
import { SELECTION_DEBOUNCE } from '../timing';

/**
 * Subscribes to what a panel shows while it is visible, so that pushes include it.
 *
 * @param params - Reads the signals that the subscription depends on.
 * @returns A function that ends the subscription.
 */
export function keepSubscribed(
  backend: ReadonlySignal<Backend | null>,
  visible: ReadonlySignal<boolean>,
  params: () => SubscribeParams
): () => void {
  return effect(() =>
    backend.value && visible.value ? subscribe(backend.value, params) : undefined
  );
}

function subscribe(backend: Backend, read: () => SubscribeParams): () => void {
  const params = computed(read);
  const { panel } = params.peek();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking: AbortController | undefined;
  const stop = effect(() => {
    const now = params.value;
    clearTimeout(timer);
    // The first is sent at once, before the next push.
    timer = setTimeout(
      () => {
        asking?.abort();
        asking = new AbortController();
        void tell(backend, now, asking.signal);
      },
      asking ? SELECTION_DEBOUNCE : 0
    );
  });
  return () => {
    stop();
    clearTimeout(timer);
    asking?.abort();
    void backend.request('unsubscribe', { panel }).catch(() => undefined);
  };
}

/** Sends a subscription. If it fails, payloads are requested one by one instead. */
async function tell(backend: Backend, params: SubscribeParams, signal: AbortSignal): Promise<void> {
  try {
    await backend.request('subscribe', params, signal);
  } catch (error) {
    if (!signal.aborted) {
      console.warn('attnlab: the kernel refused the subscription.', error);
    }
  }
}
