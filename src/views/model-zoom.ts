import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { LEAST_ZOOM, MOST_ZOOM } from '../state/display';
import { useEnv } from './env';
import type { ModelGrid, Point, Spot } from './model-grid';
import { BELOW, INSET } from './model-layout';

/** How much of the zoom a pixel of the wheel is. */
const WHEEL = 0.002;

/** The wheel has come to rest after so many milliseconds without an event. */
const REST = 120;

/** The wheel while it turns at one point. */
interface Turn {
  /** Of which grid. */
  grid: ModelGrid;
  /** What is under the pointer, and where that is from the scroller's corner. */
  spot: Spot;
  at: Point;
  zoom: number;
  /** Where the scroller will be left. */
  scroll: Point;
  rest: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Zooms the thumbnails with Ctrl and the wheel, as which browsers tell a pinch as well.
 *
 * What is under the pointer stays there, as far as the grid scrolls. While the wheel turns the
 * sheet of thumbnails is only stretched, which costs a browser next to nothing; laid out and
 * drawn in its new size it is when the wheel rests.
 *
 * @param gridAt - The grid at a zoom.
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
  const turn = useRef<Turn | null>(null);
  const last = useRef<Turn | null>(null);
  const element = box.current;

  /** Lays the sheet flat again, and scrolls to where it was stretched to. */
  const settle = (): void => {
    const { current: own } = turn;
    if (own && box.current && sheet.current) {
      clearTimeout(own.rest);
      turn.current = null;
      sheet.current.style.transform = '';
      delete box.current.dataset.zooming;
      if (own.grid.content === now.current.grid.content) {
        box.current.scrollTo(own.scroll.x, own.scroll.y);
        last.current = { ...own, scroll: scrollOf(box.current) };
      }
    }
  };
  useLayoutEffect(settle, [grid]);

  useEffect(() => {
    const finish = (): void => {
      const reached = turn.current?.zoom ?? zoom.peek();
      if (reached === zoom.peek()) {
        settle();
      } else {
        zoom.value = reached;
      }
    };
    const begin = (element: HTMLElement, at: Point): Turn => {
      const { grid } = now.current;
      const scroll = scrollOf(element);
      const { current: old } = last;
      // Where nothing has moved since the wheel rested, a new reading would add its rounding.
      const still =
        old?.grid.content === grid.content && same(old.at, at) && same(old.scroll, scroll);
      const spot = still
        ? old.spot
        : grid.spotAt({ x: at.x + scroll.x - INSET, y: at.y + scroll.y });
      return { grid, spot, at, zoom: zoom.peek(), scroll, rest: undefined };
    };
    const onWheel = (event: WheelEvent): void => {
      if (!element || !sheet.current || !(event.ctrlKey || event.metaKey)) {
        return;
      }
      // The page must not zoom as well.
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      const { current } = turn;
      if (current && !same(current.at, at)) {
        finish();
      }
      const own = (turn.current ??= begin(element, at));
      const next = own.zoom * Math.exp(-WHEEL * event.deltaY);
      own.zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, next));
      stretch(element, sheet.current, own, now.current.gridAt(own.zoom));
      clearTimeout(own.rest);
      own.rest = setTimeout(finish, REST);
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      clearTimeout(turn.current?.rest);
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

/** Stretches the sheet such that what is under the pointer is where it will be laid out. */
function stretch(box: HTMLElement, sheet: HTMLElement, turn: Turn, to: ModelGrid): void {
  const [from, place] = [turn.grid.pointOf(turn.spot), to.pointOf(turn.spot)];
  const most = {
    x: to.width + 2 * INSET - box.clientWidth,
    y: to.height + BELOW - box.clientHeight
  };
  turn.scroll = {
    x: Math.max(0, Math.min(most.x, place.x + INSET - turn.at.x)),
    y: Math.max(0, Math.min(most.y, place.y - turn.at.y))
  };
  const scale = to.side / turn.grid.side;
  const across = place.x - turn.scroll.x + box.scrollLeft - scale * from.x;
  const down = place.y - turn.scroll.y + box.scrollTop - scale * from.y;
  box.dataset.zooming = '';
  sheet.style.transform = `translate(${across}px, ${down}px) scale(${scale})`;
}
