import { useSignal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** An element's inner size and scroll position, in CSS pixels. */
export interface View {
  width: number;
  height: number;
  top: number;
  left: number;
}

/** Watches the size of an element, and how far it is scrolled. */
export function useView(ref: RefObject<HTMLElement>): ReadonlySignal<View> {
  const view = useSignal<View>({ width: 0, height: 0, top: 0, left: 0 });
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
