import { useSignal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** An element's inner size and scroll position, in CSS pixels. */
export interface ScrollArea {
  width: number;
  height: number;
  top: number;
  left: number;
}

/** Observes the size and scroll position of an element. */
export function useScrollArea(ref: RefObject<HTMLElement>): ReadonlySignal<ScrollArea> {
  const view = useSignal<ScrollArea>({ width: 0, height: 0, top: 0, left: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) {
      return;
    }
    const read = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      const { scrollTop: top, scrollLeft: left } = element;
      const old = view.peek();
      if (old.width !== width || old.height !== height || old.top !== top || old.left !== left) {
        view.value = { width, height, top, left };
      }
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, []);
  return view;
}
