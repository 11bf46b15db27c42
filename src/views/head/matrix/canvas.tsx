import { useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { drawMarks, drawPieces, type Mark, type Piece } from '../../../draw/tiles';
import { useEnv } from '../../parts/env';
import { hoverCell, toggleCell, type MatrixControl, type CellPosition } from './keyboard';

/** Distance in pixels from which a press with movement is a drag, not a click. */
const DRAG = 4;

interface MatrixCanvasProps {
  control: MatrixControl;
  pieces: ReadonlySignal<readonly Piece[]>;
}

/** The matrix, and above it the marks of the hovered and selected rows and columns. */
export function MatrixCanvas({ control, pieces }: MatrixCanvasProps) {
  const { palette } = useEnv();
  const { selection, viewport } = control;
  const box = useRef<HTMLDivElement>(null);
  const image = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const now = useRef(control);
  now.current = control;

  useSignalEffect(() => {
    const [drawn, area, colors] = [pieces.value, viewport.current.value, palette.value];
    if (image.current) {
      drawPieces(image.current, drawn, area, colors);
    }
  });
  const { rows, columns } = control;
  useEffect(() => drawSelection(), [rows, columns]);
  useSignalEffect(() => drawSelection());

  // A separate canvas, so that a pointer move draws only the marks.
  function drawSelection(): void {
    const { rows, columns } = now.current;
    const { query, key } = selection.hover.value;
    const row = (token: number | null | undefined) => rows.entryOf[token ?? -1] ?? -1;
    const column = (token: number | null | undefined) => columns.entryOf[token ?? -1] ?? -1;
    const list: Mark[] = [
      { row: row(selection.query.value), column: column(selection.key.value), kept: true },
      { row: row(query), column: column(key), kept: false }
    ];
    if (marks.current) {
      drawMarks(marks.current, list, viewport.current.value, palette.value.mark);
    }
  }

  useEffect(() => {
    const element = box.current;
    // A passive listener could not prevent the browser from zooming the page.
    const onWheel = (event: WheelEvent): void => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        viewport.zoom(-event.deltaY / 60, offset(event));
      }
    };
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, [viewport]);

  const press = useRef<{ x: number; y: number; drags: boolean } | null>(null);
  const offset = ({ clientX, clientY }: MouseEvent): { x: number; y: number } => {
    const { left = 0, top = 0 } = box.current?.getBoundingClientRect() ?? {};
    return { x: clientX - left, y: clientY - top };
  };
  const cellAt = (event: MouseEvent): CellPosition | null => {
    const { cell, x, y } = viewport.current.peek();
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
        // Touch scrolls natively.
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
            viewport.pan(x, y);
            return;
          }
        }
        hoverCell(control, cellAt(event));
      }}
      onPointerUp={() => {
        // The click event after this one checks whether the press was a drag.
        const drags = press.current?.drags;
        setTimeout(() => (press.current = null));
        press.current = drags ? press.current : null;
      }}
      onPointerCancel={() => (press.current = null)}
      onPointerLeave={() => hoverCell(control, null)}
      onClick={event => {
        const at = press.current?.drags ? null : cellAt(event);
        press.current = null;
        if (at) {
          toggleCell(control, at);
        }
      }}
    >
      <canvas ref={image} data-testid="attnlab-matrix-image" />
      <canvas ref={marks} data-testid="attnlab-matrix-marks" />
    </div>
  );
}
