import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { LEAST_ZOOM, MOST_ZOOM } from '../state/display';
import { useEnv } from './env';
import type { ModelGrid, Point, Spot } from './model-grid';
import { INSET } from './model-layout';

/** How much of the zoom a pixel of the wheel is. */
const WHEEL = 0.002;

/** What was under the pointer when the zoom began, and where the scroller was left then. */
interface Held {
  spot: Spot;
  /** The pointer, from the scroller's corner. */
  at: Point;
  left: number;
  top: number;
  /** Of which grid. */
  content: object;
}

/**
 * Zooms the thumbnails with Ctrl and the wheel, as which browsers tell a pinch as well.
 *
 * What is under the pointer stays there, as far as the grid scrolls.
 */
export function useWheelZoom(box: RefObject<HTMLElement>, grid: ModelGrid): void {
  const { zoom } = useEnv().state.display;
  const now = useRef(grid);
  now.current = grid;
  const held = useRef<Held | null>(null);
  const due = useRef(false);
  const element = box.current;
  useEffect(() => {
    const element = box.current;
    const onWheel = (event: WheelEvent): void => {
      if (!element || !(event.ctrlKey || event.metaKey)) {
        return;
      }
      // The page must not zoom as well.
      event.preventDefault();
      const next = zoom.peek() * Math.exp(-WHEEL * event.deltaY);
      const { left, top } = element.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      const [x, y] = [element.scrollLeft, element.scrollTop];
      const { content } = now.current;
      if (!still(held.current, { x, y }, at, content)) {
        const spot = now.current.spotAt({ x: at.x + x - INSET, y: at.y + y });
        held.current = { spot, at, left: x, top: y, content };
      }
      const before = zoom.peek();
      zoom.value = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, next));
      due.current ||= zoom.peek() !== before;
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, [element]);
  useLayoutEffect(() => {
    const { current } = held;
    if (box.current && current && due.current) {
      const { x, y } = grid.pointOf(current.spot);
      box.current.scrollTo(x + INSET - current.at.x, y - current.at.y);
      current.left = box.current.scrollLeft;
      current.top = box.current.scrollTop;
    }
    due.current = false;
  });
}

/** Whether the wheel still turns at one point: each new reading would add its rounding. */
function still(held: Held | null, scroll: Point, at: Point, content: object): boolean {
  return (
    held?.content === content &&
    held.at.x === at.x &&
    held.at.y === at.y &&
    Math.abs(held.left - scroll.x) < 1 &&
    Math.abs(held.top - scroll.y) < 1
  );
}
