import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo } from 'preact/hooks';
import type { Lens } from '../draw/tiles';

/** Sides of a weight, in CSS pixels, beyond which no zoom goes. */
const LARGEST = 24;

/** How much one step zooms. */
const STEP = Math.SQRT2;

/** What the matrix takes up, and the room that its labels take off the view. */
export interface Extent {
  rows: number;
  columns: number;
  left: number;
  top: number;
}

/** Along one axis: the place in the view of the point that a zoom keeps, and how far it is scrolled. */
interface Grip {
  scroll: number;
  view: number;
}

/** The same after a zoom, and which weight is there: a fraction, or more than there are. */
interface Held extends Grip {
  weight: number;
}

/** How much of the matrix is seen: its own scroll position and zoom. */
export class MatrixLens {
  readonly lens: ReadonlySignal<Lens>;
  /** Size of what is scrolled: the matrix with its labels. */
  readonly width: ReadonlySignal<number>;
  readonly height: ReadonlySignal<number>;
  /** Whether all of the matrix is in view, however large the panel is. */
  readonly fits = signal(true);
  private readonly view = signal({ width: 0, height: 0, x: 0, y: 0 });
  private readonly wanted = signal(1);
  private scroller: HTMLElement | null = null;
  /** What the last zoom kept in place, as long as nothing has moved since. */
  private held: { x: Held; y: Held } | null = null;

  constructor(readonly extent: ReadonlySignal<Extent>) {
    this.lens = computed(() => {
      const { rows, columns, left, top } = extent.value;
      const { x, y, width, height } = this.view.value;
      const room = { width: Math.max(0, width - left), height: Math.max(0, height - top) };
      const cell = this.fits.value ? this.fitting(room) : whole(this.wanted.value);
      return { cell, x, y, ...room, rows, columns };
    });
    const { lens } = this;
    this.width = computed(() =>
      Math.floor(extent.value.left + lens.value.columns * lens.value.cell)
    );
    this.height = computed(() => Math.floor(extent.value.top + lens.value.rows * lens.value.cell));
  }

  /** Follows the size and the scroll position of an element, until the returned call. */
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

  /** Zooms in or out by some steps; what is at a point of the view stays there, as far as it scrolls. */
  zoom(steps: number, at?: { x: number; y: number }): void {
    const { cell, x, y, width, height, rows, columns } = this.lens.peek();
    // The middle of what is seen, of a matrix that does not fill the view.
    const { x: px, y: py } = at ?? {
      x: Math.min(width, columns * cell - x) / 2,
      y: Math.min(height, rows * cell - y) / 2
    };
    const column = stays(this.held?.x, { scroll: x, view: px }, cell, columns);
    const row = stays(this.held?.y, { scroll: y, view: py }, cell, rows);
    const from = this.fits.peek() ? cell : this.wanted.peek();
    const least = this.fitting({ width, height });
    const to = Math.min(LARGEST, from * STEP ** steps);
    if (to <= least) {
      this.fit();
      return;
    }
    this.wanted.value = to;
    this.fits.value = false;
    this.scrollTo(column * whole(to) - px, row * whole(to) - py);
    const { x: left, y: top } = this.lens.peek();
    this.held = {
      x: { scroll: left, view: px, weight: column },
      y: { scroll: top, view: py, weight: row }
    };
  }

  /** Shows the whole matrix. */
  fit(): void {
    this.fits.value = true;
    this.held = null;
    this.scrollTo(0, 0);
  }

  /** Moves the view by so many pixels. */
  pan(x: number, y: number): void {
    this.scroller?.scrollBy(x, y);
  }

  /** Scrolls as little as it takes for a cell to be seen, or for a row or a column alone. */
  reveal(row: number | null, column: number | null): void {
    const { cell, x, y, width, height } = this.lens.peek();
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
    // The element inside has its new size only after the next render, and a scroll before
    // that would be cut short.
    const inside = this.scroller?.firstElementChild;
    if (inside instanceof HTMLElement) {
      inside.style.width = `${this.width.peek()}px`;
      inside.style.height = `${this.height.peek()}px`;
    }
    this.scroller?.scrollTo(x, y);
    this.read();
  }

  private fitting({ width, height }: { width: number; height: number }): number {
    const { rows, columns } = this.extent.value;
    const most = Math.min(LARGEST, width / Math.max(1, columns), height / Math.max(1, rows));
    const scale = devicePixelRatio || 1;
    // Rounded down: what is rounded up would not fit.
    return Math.max(1e-3, most * scale >= 3 ? Math.floor(most * scale) / scale : most);
  }
}

/**
 * The weight that stays where it is in a zoom.
 *
 * A scroll position is of whole pixels: a step that read the weight anew, after others at the
 * same point, would add its rounding to theirs, and many weights share a pixel.
 */
function stays(held: Held | undefined, now: Grip, cell: number, weights: number): number {
  // Both by less than a pixel: what is sticky stands on fractions of one.
  const same = held && Math.abs(held.view - now.view) < 1 && Math.abs(held.scroll - now.scroll) < 1;
  return same ? held.weight : Math.min(weights, (now.scroll + now.view) / cell);
}

/** A cell of whole device pixels, where it is so large that unequal cells would be seen. */
function whole(cell: number): number {
  const scale = devicePixelRatio || 1;
  return cell * scale >= 3 ? Math.round(cell * scale) / scale : cell;
}

function nearest(from: number, start: number, length: number, room: number): number {
  return Math.max(Math.min(from, start), Math.min(start + length - room, start));
}

/** The lens of a matrix in a scrolled element. */
export function useMatrixLens(
  scroller: RefObject<HTMLElement>,
  extent: ReadonlySignal<Extent>
): MatrixLens {
  const lens = useMemo(() => new MatrixLens(extent), [extent]);
  useLayoutEffect(() => (scroller.current ? lens.follow(scroller.current) : undefined), [lens]);
  return lens;
}
