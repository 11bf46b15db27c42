import { useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { drawMarks, drawPieces, type Mark, type Piece } from '../draw/tiles';
import { useEnv } from './env';
import { hover, keep, type MatrixControl, type Spot } from './matrix-keys';

/** Pixels that the pointer moves before a press is a drag, not a click. */
const DRAG = 4;

interface MatrixCanvasProps {
  control: MatrixControl;
  pieces: ReadonlySignal<readonly Piece[]>;
}

/** The matrix itself, and over it what is hovered and selected. */
export function MatrixCanvas({ control, pieces }: MatrixCanvasProps) {
  const { palette } = useEnv();
  const { selection, lens } = control;
  const box = useRef<HTMLDivElement>(null);
  const image = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const now = useRef(control);
  now.current = control;

  useSignalEffect(() => {
    const [list, view, colours] = [pieces.value, lens.lens.value, palette.value];
    if (image.current) {
      drawPieces(image.current, list, view, colours);
    }
  });
  const { rows, columns } = control;
  useEffect(() => drawn(), [rows, columns]);
  useSignalEffect(() => drawn());

  /** Only this canvas is drawn when the pointer moves. */
  function drawn(): void {
    const { rows, columns } = now.current;
    const { query, key } = selection.hover.value;
    const row = (token: number | null | undefined) => rows.of[token ?? -1] ?? -1;
    const column = (token: number | null | undefined) => columns.of[token ?? -1] ?? -1;
    const shown: Mark[] = [
      { row: row(selection.query.value), column: column(selection.key.value), kept: true },
      { row: row(query), column: column(key), kept: false }
    ];
    if (marks.current) {
      drawMarks(marks.current, shown, lens.lens.value, palette.value.mark);
    }
  }

  useEffect(() => {
    const element = box.current;
    // Passive listeners cannot keep the browser from zooming its page.
    const onWheel = (event: WheelEvent): void => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        lens.zoom(-event.deltaY / 60, offset(event));
      }
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, [lens]);

  const press = useRef<{ x: number; y: number; drags: boolean } | null>(null);
  const offset = ({ clientX, clientY }: MouseEvent): { x: number; y: number } => {
    const { left = 0, top = 0 } = box.current?.getBoundingClientRect() ?? {};
    return { x: clientX - left, y: clientY - top };
  };
  const spot = (event: MouseEvent): Spot | null => {
    const { cell, x, y } = lens.lens.peek();
    const at = offset(event);
    const [row, column] = [Math.floor((y + at.y) / cell), Math.floor((x + at.x) / cell)];
    const inside =
      row >= 0 && column >= 0 && row < rows.entries.length && column < columns.entries.length;
    return inside ? { row, column } : null;
  };
  return (
    <div
      ref={box}
      class="attnlab-matrix-canvas"
      data-testid="attnlab-matrix-canvas"
      onPointerDown={event => {
        // A finger scrolls by itself.
        if (event.pointerType !== 'touch' && event.button === 0) {
          press.current = { x: event.clientX, y: event.clientY, drags: false };
          event.currentTarget.setPointerCapture(event.pointerId);
        }
      }}
      onPointerMove={event => {
        const from = press.current;
        if (from) {
          const [x, y] = [from.x - event.clientX, from.y - event.clientY];
          if (from.drags || Math.hypot(x, y) > DRAG) {
            press.current = { x: event.clientX, y: event.clientY, drags: true };
            lens.pan(x, y);
            return;
          }
        }
        hover(control, spot(event));
      }}
      onPointerUp={() => {
        // The click that follows still has to know whether this was a drag.
        const drags = press.current?.drags;
        setTimeout(() => (press.current = null));
        press.current = drags ? press.current : null;
      }}
      onPointerCancel={() => (press.current = null)}
      onPointerLeave={() => hover(control, null)}
      onClick={event => {
        const at = press.current?.drags ? null : spot(event);
        press.current = null;
        if (at) {
          keep(control, at);
        }
      }}
    >
      <canvas ref={image} data-testid="attnlab-matrix-image" />
      <canvas ref={marks} data-testid="attnlab-matrix-marks" />
    </div>
  );
}
