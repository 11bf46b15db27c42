import type { Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Focus } from '../../../protocol/messages';
import { useEnv } from '../../parts/env';
import type { ModelGrid } from '../grid/grid';

/**
 * The event handlers that focus, select and point at heads.
 *
 * @param box - The scrolled element that contains a cell for each head near the viewport.
 * @param pointed - Receives the head under the pointer or with the visible keyboard focus.
 */
export function useHeadSelection(
  box: RefObject<HTMLElement>,
  grid: ModelGrid,
  pointed: Signal<Focus | null>
) {
  const { selection } = useEnv().state;
  /** The head that receives the keyboard focus once its cell is in the DOM. */
  const awaited = useRef<Focus | null>(null);
  const focusAwaited = (): void => {
    const cell = awaited.current && cellOf(box.current, awaited.current);
    if (cell) {
      awaited.current = null;
      cell.focus();
    }
  };
  useLayoutEffect(focusAwaited);

  const moveFocus = (to: Focus): void => {
    awaited.current = to;
    if (!cellOf(box.current, to) && box.current) {
      box.current.scrollTop = grid.topOf(to);
    }
    focusAwaited();
  };
  const select = (head: Focus, together: boolean): void => {
    if (together && head.site === selection.focus.peek().site) {
      selection.toggleHead(head.head);
    } else {
      selection.setFocus(head);
    }
  };
  const point = (target: EventTarget | null): void => {
    const [head, before] = [headAt(target), pointed.peek()];
    if (head?.site !== before?.site || head?.head !== before?.head) {
      pointed.value = head;
    }
  };
  const unpoint = (): void => {
    pointed.value = null;
  };
  return {
    onKeyDown: (event: KeyboardEvent) => {
      const here = headAt(event.target) ?? selection.focus.value;
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault();
        select(here, event.shiftKey);
        return;
      }
      const next = grid.next(here, event.key, event.ctrlKey || event.metaKey);
      if (next) {
        event.preventDefault();
        // With Shift only the keyboard focus moves, to a head that Shift+Enter can add.
        if (!event.shiftKey) {
          selection.setFocus(next);
        }
        moveFocus(next);
      }
    },
    onClick: (event: MouseEvent) => {
      const head = headAt(event.target);
      if (head) {
        select(head, event.shiftKey);
        cellOf(box.current, head)?.focus({ preventScroll: true });
      }
    },
    onPointerOver: ({ target }: Event) => point(target),
    onPointerLeave: unpoint,
    onPointerDown: unpoint,
    onFocusIn: ({ target }: Event) => {
      if (target instanceof Element && target.matches(':focus-visible')) {
        point(target);
      }
    },
    onFocusOut: unpoint,
    onScroll: unpoint
  };
}

/** The head whose cell contains the target of an event. */
function headAt(target: EventTarget | null): Focus | null {
  const cell = target instanceof Element ? target.closest<HTMLElement>('[data-head]') : null;
  return cell && { site: Number(cell.dataset.site), head: Number(cell.dataset.head) };
}

function cellOf(box: HTMLElement | null, { site, head }: Focus): HTMLElement | null {
  return box?.querySelector<HTMLElement>(`[data-site="${site}"][data-head="${head}"]`) ?? null;
}
