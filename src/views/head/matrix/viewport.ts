import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import type { Viewport } from '../../../draw/tiles';

/** Largest side of a cell, in CSS pixels. */
const LARGEST = 24;

/** Zoom factor of one step. */
const STEP = Math.SQRT2;

/** The size of the matrix in cells, and of its labels in pixels. */
export interface Extent {
  rows: number;
  columns: number;
  left: number;
  top: number;
}

/** The fixed point of a zoom on one axis: the scroll position, and the point in the viewport. */
interface ZoomPoint {
  scroll: number;
  view: number;
}

/** A fixed point after a zoom, with its position in the matrix as a fractional index. */
interface ZoomAnchor extends ZoomPoint {
  weight: number;
}

/** The scroll position and the zoom of a matrix. */
export class MatrixViewport {
  readonly current: ReadonlySignal<Viewport>;
  /** Size of the scrolled content, the matrix with its labels, in pixels. */
  readonly width: ReadonlySignal<number>;
  readonly height: ReadonlySignal<number>;
  /** Whether the zoom follows the panel so that the whole matrix is visible. */
  readonly fits = signal(true);
  private readonly view = signal({ width: 0, height: 0, x: 0, y: 0 });
  private readonly wanted = signal(1);
  private scroller: HTMLElement | null = null;
  /** The fixed point of the last zoom, valid until something moves. */
  private anchor: { x: ZoomAnchor; y: ZoomAnchor } | null = null;

  constructor(readonly extent: ReadonlySignal<Extent>) {
    this.current = computed(() => {
      const { rows, columns, left, top } = extent.value;
      const { x, y, width, height } = this.view.value;
      const room = { width: Math.max(0, width - left), height: Math.max(0, height - top) };
      const cell = this.fits.value ? this.fittingCell(room) : roundedCell(this.wanted.value);
      return { cell, x, y, ...room, rows, columns };
    });
    this.width = computed(() =>
      Math.floor(extent.value.left + this.current.value.columns * this.current.value.cell)
    );
    this.height = computed(() =>
      Math.floor(extent.value.top + this.current.value.rows * this.current.value.cell)
    );
  }

  /** Follows the size and the scroll position of an element; returns a function that stops it. */
  follow(scroller: HTMLElement): () => void {
    this.scroller = scroller;
    const read = (): void => this.read();
    read();
    const observer = new ResizeObserver(read);
    observer.observe(scroller);
    scroller.addEventListener('scroll', read, { passive: true });
    return () => {
      observer.disconnect();
      scroller.removeEventListener('scroll', read);
      this.scroller = null;
    };
  }

  /**
   * Zooms in or out by a number of steps.
   *
   * @param at - The point of the viewport that stays in place, as far as the content scrolls.
   */
  zoom(steps: number, at?: { x: number; y: number }): void {
    const { cell, x, y, width, height, rows, columns } = this.current.peek();
    // By default the center of the visible part of the matrix.
    const { x: px, y: py } = at ?? {
      x: Math.min(width, columns * cell - x) / 2,
      y: Math.min(height, rows * cell - y) / 2
    };
    const column = fixedIndex(this.anchor?.x, { scroll: x, view: px }, cell, columns);
    const row = fixedIndex(this.anchor?.y, { scroll: y, view: py }, cell, rows);
    const from = this.fits.peek() ? cell : this.wanted.peek();
    const least = this.fittingCell({ width, height });
    const to = Math.min(LARGEST, from * STEP ** steps);
    if (to <= least) {
      this.fit();
      return;
    }
    this.wanted.value = to;
    this.fits.value = false;
    this.scrollTo(column * roundedCell(to) - px, row * roundedCell(to) - py);
    const { x: left, y: top } = this.current.peek();
    this.anchor = {
      x: { scroll: left, view: px, weight: column },
      y: { scroll: top, view: py, weight: row }
    };
  }

  /** Shows the whole matrix. */
  fit(): void {
    this.fits.value = true;
    this.anchor = null;
    this.scrollTo(0, 0);
  }

  /** Scrolls by a distance in pixels. */
  pan(x: number, y: number): void {
    this.scroller?.scrollBy(x, y);
  }

  /** Scrolls a cell, or a row or column alone, into view, as little as possible. */
  reveal(row: number | null, column: number | null): void {
    const { cell, x, y, width, height } = this.current.peek();
    this.scrollTo(
      column === null ? x : nearest(x, column * cell, cell, width),
      row === null ? y : nearest(y, row * cell, cell, height)
    );
  }

  private read(): void {
    if (!this.scroller) {
      return;
    }
    const { clientWidth: width, clientHeight: height, scrollLeft: x, scrollTop: y } = this.scroller;
    const old = this.view.peek();
    if (old.width !== width || old.height !== height || old.x !== x || old.y !== y) {
      this.view.value = { width, height, x, y };
    }
  }

  private scrollTo(x: number, y: number): void {
    // The content gets its new size only with the next render, and would limit the scroll
    // position until then.
    const inside = this.scroller?.firstElementChild;
    if (inside instanceof HTMLElement) {
      inside.style.width = `${this.width.peek()}px`;
      inside.style.height = `${this.height.peek()}px`;
    }
    this.scroller?.scrollTo(x, y);
    this.read();
  }

  private fittingCell({ width, height }: { width: number; height: number }): number {
    const { rows, columns } = this.extent.value;
    const most = Math.min(LARGEST, width / Math.max(1, columns), height / Math.max(1, rows));
    const scale = devicePixelRatio || 1;
    // Rounded up, the matrix would not fit.
    return Math.max(1e-3, most * scale >= 3 ? Math.floor(most * scale) / scale : most);
  }
}

/**
 * The fractional index of the weight that stays in place.
 *
 * Browsers round scroll positions to pixels, which many weights can share. Steps at the same
 * point reuse the index, because the rounding errors would accumulate otherwise.
 */
function fixedIndex(
  anchor: ZoomAnchor | undefined,
  now: ZoomPoint,
  cell: number,
  weights: number
): number {
  // Sticky elements have fractional positions.
  const same =
    anchor && Math.abs(anchor.view - now.view) < 1 && Math.abs(anchor.scroll - now.scroll) < 1;
  return same ? anchor.weight : Math.min(weights, (now.scroll + now.view) / cell);
}

/** Rounds a large cell to whole device pixels: unequal cells would be visible. */
function roundedCell(cell: number): number {
  const scale = devicePixelRatio || 1;
  return cell * scale >= 3 ? Math.round(cell * scale) / scale : cell;
}

function nearest(from: number, start: number, length: number, room: number): number {
  return Math.max(Math.min(from, start), Math.min(start + length - room, start));
}

/** The viewport of a matrix in a scrolled element. */
export function useMatrixViewport(
  scroller: RefObject<HTMLElement>,
  extent: ReadonlySignal<Extent>
): MatrixViewport {
  const viewport = useMemo(() => new MatrixViewport(extent), [extent]);
  useLayoutEffect(
    () => (scroller.current ? viewport.follow(scroller.current) : undefined),
    [viewport]
  );
  return viewport;
}
