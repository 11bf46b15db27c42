import { useComputed, useSignalEffect, type ReadonlySignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { sizedContext } from '../../draw/canvas';
import { columnsWidth, drawHeadColumns } from '../../draw/head-columns';
import { colorsOfHeads } from '../../draw/palette';
import type { RowRange } from '../../draw/visible-rows';
import { largestLines, strokeLines, type Frame } from '../../draw/weight-lines';
import { debounced } from '../../state/debounced';
import { CURVES_DEBOUNCE } from '../../state/timing';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { useScrollArea } from '../parts/scroll-area';
import { exactWeights, faintest, linesInQuestion, withoutPadding } from './drawn-lines';

/** Width of a line of weight 1, in pixels. */
const WIDE = 4;

/** What a canvas is drawn with. */
interface Page {
  context: CanvasRenderingContext2D;
  mark: string;
  colors: string[];
  /** Width of the columns of head weights on either side; 0 for none. */
  columns: number;
  frame: Frame;
}

/**
 * The lines of the rows near the viewport.
 *
 * One canvas has all lines, a second one above it those in question. So a hover draws only one
 * row, and CSS dims the others.
 */
export function LineCanvas({ window }: { window: ReadonlySignal<RowRange> }) {
  const { state, palette } = useEnv();
  const { heads } = state;
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const view = useScrollArea(box);
  const width = useComputed(() => view.value.width);
  const settled = useMemo(() => debounced(window, CURVES_DEBOUNCE), [window]);
  const waited = useMemo(() => debounced(heads.load, CURVES_DEBOUNCE), [heads]);
  const all = useComputed(() => {
    if (heads.load.value.state === 'pending' && waited.value !== heads.load.value) {
      return [];
    }
    const reading = heads.axes.value;
    return largestLines(
      heads.all.value.map(({ weights }) => withoutPadding(weights, reading)),
      settled.value
    );
  });

  const draw = (
    canvas: HTMLCanvasElement | null,
    { start, end }: RowRange,
    strokes: (page: Page) => void
  ): void => {
    const across = width.value;
    const count = heads.all.value.length;
    // Read before any return, so that a new palette or browser zoom always draws again.
    const { mark } = palette.value;
    const colors = colorsOfHeads(
      heads.all.value.map(({ head }) => head),
      palette.value
    );
    if (!canvas) {
      return;
    }
    canvas.style.top = `${start * ROW_HEIGHT}px`;
    const context = sizedContext(canvas, across, (end - start) * ROW_HEIGHT);
    if (context) {
      const columns = columnsWidth(count, across);
      const frame = { left: columns, right: across - columns, row: ROW_HEIGHT, first: start };
      strokes({ context, mark, colors, columns, frame });
    }
  };
  useSignalEffect(() =>
    draw(base.current, settled.value, ({ context, colors, frame }) =>
      strokeLines(context, all.value, frame, {
        colors,
        faint: faintest(0.06, all.value),
        full: 0.62,
        wide: WIDE
      })
    )
  );
  useSignalEffect(() => {
    const asked = heads.withExactRow.value;
    const question = heads.slice.value;
    box.current?.toggleAttribute('data-highlighted', question.kind !== 'none');
    draw(over.current, window.value, ({ context, mark, columns, frame, ...page }) => {
      const colors = asked.length < 2 ? [mark] : page.colors;
      const lines = linesInQuestion(question, asked);
      const pair = question.kind === 'row' && question.key !== null;
      strokeLines(context, lines, frame, {
        colors,
        faint: faintest(0.12, lines),
        full: pair ? 0.45 : 1,
        wide: WIDE
      });
      if (pair) {
        const ofPair = lines.filter(({ key }) => key === question.key);
        strokeLines(context, ofPair, frame, { colors, faint: 0.9, full: 1, wide: WIDE });
      }
      if (columns > 0 && question.kind !== 'none') {
        const { start, end } = window.value;
        const left = question.kind === 'row' ? frame.right + 2 : 0;
        drawHeadColumns(
          context,
          { left, width: columns - 2, row: ROW_HEIGHT, first: start, count: end - start },
          colors,
          exactWeights(question, asked)
        );
      }
    });
  });
  return (
    <div ref={box} class="attnlab-curves" aria-hidden="true" data-testid="attnlab-curves">
      <canvas ref={base} class="attnlab-curves-all" />
      <canvas ref={over} class="attnlab-curves-highlighted" />
    </div>
  );
}
