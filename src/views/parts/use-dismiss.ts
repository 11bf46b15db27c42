import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

/**
 * Closes a popup on a press outside of it and on Escape, which moves the focus to the popup's
 * button.
 *
 * @param box - The element with the button, which comes first in it, and the popup.
 * @returns The handler of `keydown` events for the element.
 */
export function useDismiss(
  box: RefObject<HTMLElement>,
  isOpen: () => boolean,
  close: () => void
): (event: KeyboardEvent) => void {
  useEffect(() => {
    const onPointerDown = ({ target }: Event): void => {
      if (target instanceof Node && !box.current?.contains(target)) {
        close();
      }
    };
    document.addEventListener('pointerdown', onPointerDown);
    return () => document.removeEventListener('pointerdown', onPointerDown);
  }, []);
  return event => {
    if (event.key === 'Escape' && isOpen()) {
      // The panel clears its selection only on an Escape that nothing else has handled.
      event.preventDefault();
      close();
      box.current?.querySelector<HTMLElement>('button, summary')?.focus();
    }
  };
}
