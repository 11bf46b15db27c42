import { useComputed, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { faintest, heaviest, strokeEdges } from '../draw/curves';
import { laneOf } from '../draw/lanes';
import { surface } from '../draw/surface';
import type { Stretch } from '../draw/window';
import type { Drawn } from '../state/mass';
import type { Reading } from '../state/reading';
import { useEnv } from './env';
import { coloursOf } from './head-colours';
import { ROW } from './row';

/** So many curves are stroked in a frame while the lists scroll, and the rest in those after it. */
const SLICE = 250;

interface CloudProps {
  window: ReadonlySignal<Stretch>;
  width: ReadonlySignal<number>;
}

/** What is drawn, apart from how far it is scrolled. */
interface Scene {
  weights: readonly Drawn[];
  colours: string[];
  width: number;
}

/** The curves of a stretch of rows, on their way to a canvas. */
interface Drawing {
  scene: Scene;
  rows: Stretch;
  frame: number;
}

/**
 * All curves of the rows in the page, of which there may be thousands.
 *
 * While the lists scroll the curves of new rows are stroked frame by frame on a second canvas,
 * which then takes the place of the first; anything else is drawn at once.
 */
export function Cloud({ window, width }: CloudProps) {
  const { state, palette } = useEnv();
  const { heads } = state;
  const front = useRef<HTMLCanvasElement>(null);
  const back = useRef<HTMLCanvasElement>(null);
  const shown = useRef(front);
  const drawing = useRef<Drawing | null>(null);
  const last = useRef<Scene | null>(null);
  const scene = useComputed<Scene>(() => {
    const reading = heads.reading.value;
    return {
      weights: heads.all.value.map(({ weights }) => defined(weights, reading)),
      colours: coloursOf(
        heads.all.value.map(({ head }) => head),
        palette.value
      ),
      width: width.value
    };
  });

  const draw = (scene: Scene, rows: Stretch): void => {
    const next = shown.current === front ? back : front;
    const canvas = next.current;
    if (!canvas) {
      return;
    }
    const most = last.current === scene ? SLICE : Infinity;
    last.current = scene;
    const edges = heaviest(scene.weights, rows);
    const lane = laneOf(scene.weights.length, scene.width);
    const frame = { left: lane, right: scene.width - lane, row: ROW, first: rows.start };
    const look = { colours: scene.colours, faint: faintest(0.06, edges), full: 0.62, wide: 4 };
    const context = surface(canvas, scene.width, (rows.end - rows.start) * ROW);
    canvas.style.top = `${rows.start * ROW}px`;
    let from = 0;
    const stroke = (): void => {
      if (context) {
        strokeEdges(context, edges.slice(from, from + most), frame, look);
      }
      from += most;
      if (from < edges.length) {
        drawing.current = { scene, rows, frame: requestAnimationFrame(stroke) };
        return;
      }
      drawing.current = null;
      canvas.dataset.shown = '';
      delete shown.current.current?.dataset.shown;
      shown.current = next;
      if (window.peek() !== rows) {
        draw(scene, window.peek());
      }
    };
    stroke();
  };
  useSignalEffect(() => {
    const { value: now } = scene;
    const { value: rows } = window;
    const { current } = drawing;
    // Curves of rows that the list has left since are finished first: if each step of a scroll
    // began anew, none would ever be seen.
    if (current?.scene !== now) {
      cancelAnimationFrame(current?.frame ?? 0);
      draw(now, rows);
    }
  });
  useEffect(() => () => cancelAnimationFrame(drawing.current?.frame ?? 0), []);
  return (
    <>
      <canvas ref={front} class="attnlab-curves-all" width="0" height="0" />
      <canvas ref={back} class="attnlab-curves-all" width="0" height="0" />
    </>
  );
}

/** The weights without those of padding queries, which mean nothing. */
function defined(weights: Drawn, { queries }: Reading): Drawn {
  return {
    ...weights,
    each: (query, start, end, see) => {
      if (!queries.entries[query]?.token.padding) {
        weights.each(query, start, end, see);
      }
    }
  };
}
