import { useSignalEffect, type Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { scrollToLine } from '../parts/scroll-into-view';
import type { Caret } from './caret';
import { HEADER, PADDING, type Layout } from './layout';

/** Scrolls to the row and the dimension of a caret that was moved by keys. */
export function useCaretScroll(
  scroller: RefObject<HTMLElement>,
  caret: Signal<Caret | null>,
  layout: Layout,
  order: readonly number[]
): void {
  const { selection } = useEnv().state;
  useSignalEffect(() => {
    const { key } = selection.hover.value;
    const position = caret.value?.byKey ? order.indexOf(caret.value.dimension) : -1;
    const box = scroller.current;
    if (!box?.matches(':focus')) {
      return;
    }
    if (key !== undefined) {
      scrollToLine(box, key, ROW_HEIGHT, HEADER);
    }
    if (position >= 0) {
      const left = layout.k + position * layout.side;
      const least = layout.product + (position + 1) * layout.side - (box.clientWidth - PADDING);
      const most = left - layout.token;
      box.scrollLeft = Math.max(Math.min(least, left), Math.min(most, box.scrollLeft));
    }
  });
}
