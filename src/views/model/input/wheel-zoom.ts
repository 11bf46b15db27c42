import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { MIN_ZOOM, MAX_ZOOM } from '../../../state/view-state/display';
import { WHEEL_IDLE } from '../../../state/timing';
import { useEnv } from '../../parts/env';
import type { ModelGrid, Point, Anchor } from '../grid/grid';
import { BELOW, INSET } from '../grid/layout';

/** Change of the logarithm of the zoom for each pixel of the wheel. */
const SPEED = 0.002;

/** A zoom with the pointer at one position. */
interface ZoomGesture {
  /** The grid at the start. */
  grid: ModelGrid;
  /** The content under the pointer, which stays there. */
  anchor: Anchor;
  /** The pointer, relative to the upper left corner of the scroller. */
  at: Point;
  zoom: number;
  /** The scroll position after the zoom. */
  scroll: Point;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Zooms the thumbnails with Ctrl+wheel, which is also how browsers report a pinch.
 *
 * The content under the pointer stays there, as far as the grid scrolls. During the gesture the
 * sheet of thumbnails is only scaled by CSS, which costs almost nothing; it is laid out and drawn
 * at the new zoom when the wheel stops.
 *
 * @param gridAt - Returns the grid at a zoom.
 */
export function useWheelZoom(
  box: RefObject<HTMLElement>,
  sheet: RefObject<HTMLElement>,
  grid: ModelGrid,
  gridAt: (zoom: number) => ModelGrid
): void {
  const { zoom } = useEnv().state.display;
  const now = useRef({ grid, gridAt });
  now.current = { grid, gridAt };
  const active = useRef<ZoomGesture | null>(null);
  const last = useRef<ZoomGesture | null>(null);
  const element = box.current;

  /** Removes the scaling and scrolls to the position that it showed. */
  const settle = (): void => {
    const { current: gesture } = active;
    if (gesture && box.current && sheet.current) {
      clearTimeout(gesture.timer);
      active.current = null;
      sheet.current.style.transform = '';
      delete box.current.dataset.zooming;
      if (gesture.grid.content === now.current.grid.content) {
        box.current.scrollTo(gesture.scroll.x, gesture.scroll.y);
        last.current = { ...gesture, scroll: scrollOf(box.current) };
      }
    }
  };
  useLayoutEffect(settle, [grid]);

  useEffect(() => {
    const finish = (): void => {
      const reached = active.current?.zoom ?? zoom.peek();
      if (reached === zoom.peek()) {
        settle();
      } else {
        zoom.value = reached;
      }
    };
    const begin = (element: HTMLElement, at: Point): ZoomGesture => {
      const { grid } = now.current;
      const scroll = scrollOf(element);
      const { current: old } = last;
      // Scroll positions are rounded: at the same point, a new anchor would accumulate the errors.
      const still =
        old?.grid.content === grid.content && same(old.at, at) && same(old.scroll, scroll);
      const anchor = still
        ? old.anchor
        : grid.anchorAt({ x: at.x + scroll.x - INSET, y: at.y + scroll.y });
      return { grid, anchor, at, zoom: zoom.peek(), scroll, timer: undefined };
    };
    const onWheel = (event: WheelEvent): void => {
      if (!element || !sheet.current || !(event.ctrlKey || event.metaKey)) {
        return;
      }
      // Otherwise the browser zooms the page.
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      const { current } = active;
      if (current && !same(current.at, at)) {
        finish();
      }
      const gesture = (active.current ??= begin(element, at));
      const next = gesture.zoom * Math.exp(-SPEED * event.deltaY);
      gesture.zoom = Math.max(MIN_ZOOM, Math.min(MAX_ZOOM, next));
      scale(element, sheet.current, gesture, now.current.gridAt(gesture.zoom));
      clearTimeout(gesture.timer);
      gesture.timer = setTimeout(finish, WHEEL_IDLE);
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      clearTimeout(active.current?.timer);
      element?.removeEventListener('wheel', onWheel);
    };
  }, [element]);
}

function scrollOf({ scrollLeft, scrollTop }: HTMLElement): Point {
  return { x: scrollLeft, y: scrollTop };
}

function same(a: Point, b: Point): boolean {
  return a.x === b.x && a.y === b.y;
}

/** Scales the sheet so that the anchor is where the layout at the new zoom will place it. */
function scale(box: HTMLElement, sheet: HTMLElement, gesture: ZoomGesture, to: ModelGrid): void {
  const [from, target] = [gesture.grid.pointOf(gesture.anchor), to.pointOf(gesture.anchor)];
  const most = {
    x: to.width + 2 * INSET - box.clientWidth,
    y: to.height + BELOW - box.clientHeight
  };
  gesture.scroll = {
    x: Math.max(0, Math.min(most.x, target.x + INSET - gesture.at.x)),
    y: Math.max(0, Math.min(most.y, target.y - gesture.at.y))
  };
  const factor = to.side / gesture.grid.side;
  const across = target.x - gesture.scroll.x + box.scrollLeft - factor * from.x;
  const down = target.y - gesture.scroll.y + box.scrollTop - factor * from.y;
  box.dataset.zooming = '';
  sheet.style.transform = `translate(${across}px, ${down}px) scale(${factor})`;
}
