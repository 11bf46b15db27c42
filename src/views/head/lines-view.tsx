import { useComputed, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { fontOf, TextRuler } from '../../draw/text-ruler';
import { keepIfEqual, visibleRows, type RowRange } from '../../draw/visible-rows';
import type { Axis } from '../../state/heads/axis';
import { tokenText } from '../parts/token-text';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { useScrollArea, type ScrollArea } from '../parts/scroll-area';
import { LineCanvas } from './line-canvas';
import { TokenList } from './token-list';
import { Remainder } from './remainder';

/** Heads as lines: queries on the left, keys on the right, a line for each weight. */
export function LinesView() {
  const { state, t } = useEnv();
  const { queries, keys } = state.heads.axes.value;
  const load = state.head.value;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useScrollArea(scroller);
  const rows = useComputed(() => {
    const { queries, keys } = state.heads.axes.value;
    return Math.max(queries.entries.length, keys.entries.length);
  });
  const window = useVisibleRows(view, rows);
  // The browser's search does not need rows of the canvas, and each of them takes time to draw.
  const drawn = useVisibleRows(view, rows, 0);
  const { start, end } = window.value;
  const width = useComputed(() => view.value.width).value;
  const left = useColumnWidth(queries, scroller, width, 60);
  const right = useColumnWidth(keys, scroller, width, 16);
  return (
    <div
      ref={scroller}
      class="attnlab-scroller attnlab-head"
      role="group"
      aria-label={t('Head')}
      aria-busy={load.state === 'pending'}
      data-exact={load.state === 'ready'}
      style={{ '--attnlab-left': `${left}px`, '--attnlab-right': `${right}px` }}
    >
      <div class="attnlab-head-body" style={{ height: `${rows.value * ROW_HEIGHT}px` }}>
        <TokenList side="query" axis={queries} window={{ start, end }} scroller={scroller} />
        <LineCanvas window={drawn} />
        <TokenList side="key" axis={keys} window={{ start, end }} scroller={scroller} />
      </div>
      <Remainder />
    </div>
  );
}

/** The rows near the viewport; the same object until they change. */
function useVisibleRows(
  view: ReadonlySignal<ScrollArea>,
  rows: ReadonlySignal<number>,
  all?: number
): ReadonlySignal<RowRange> {
  const before = useRef<RowRange | null>(null);
  return useComputed(() => {
    const { top, height } = view.value;
    const next = visibleRows(rows.value, top, height, ROW_HEIGHT, undefined, all);
    return (before.current = keepIfEqual(next, before.current));
  });
}

/** Width of a column of tokens in pixels: that of the widest token, limited by the panel. */
function useColumnWidth(
  { entries }: Axis,
  box: { current: HTMLElement | null },
  width: number,
  room: number
): number {
  const [ruler, setRuler] = useState<TextRuler | null>(null);
  useLayoutEffect(() => {
    const body = box.current?.firstElementChild;
    if (body) {
      setRuler(new TextRuler(fontOf(body)));
    }
  }, []);
  const widest = useMemo(
    () =>
      ruler
        ? entries.reduce((most, { token }) => Math.max(most, ruler.width(tokenText(token))), 24)
        : 48,
    [entries, ruler]
  );
  return Math.ceil(Math.min(widest + room, Math.max(64, width * 0.3)));
}
