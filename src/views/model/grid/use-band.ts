import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { ScrollArea } from '../../parts/scroll-area';
import { bandOf, type Band } from './layout';

/** The band of the content that is in the DOM; null for all of it. */
export function useBand(view: ReadonlySignal<ScrollArea>, heads: number): Band | null {
  const count = useSignal(heads);
  count.value = heads;
  const before = useRef<Band | null>(null);
  return useComputed(() => {
    const { top, height } = view.value;
    return (before.current = bandOf(count.value, top, height, before.current));
  }).value;
}
