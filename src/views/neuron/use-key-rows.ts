import { useComputed, type ReadonlySignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { keepIfEqual, RENDER_ALL, visibleRows, type RowRange } from '../../draw/visible-rows';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import type { ScrollArea } from '../parts/scroll-area';

/** The range of keys whose rows are in the DOM. */
export function useKeyRows(view: ReadonlySignal<ScrollArea>): RowRange {
  const { sides } = useEnv().state;
  const before = useRef<RowRange | null>(null);
  return useComputed(() => {
    const { top, height } = view.value;
    const total = sides.value.keys.length;
    // Never all rows, even of a short text: a row has many cells.
    const { start, end } = visibleRows(Math.max(RENDER_ALL + 1, total), top, height, ROW_HEIGHT, 6);
    const next = { start: Math.min(start, total), end: Math.min(end, total) };
    return (before.current = keepIfEqual(next, before.current));
  }).value;
}
