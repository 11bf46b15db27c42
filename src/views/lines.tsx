import { useComputed, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { fontOf, Ruler } from '../draw/ruler';
import { steady, stretch, type Stretch } from '../draw/window';
import type { Axis } from '../state/axis';
import { shown } from './chip';
import { Curves } from './curves';
import { useEnv } from './env';
import { HeadList } from './list';
import { Rests } from './rests';
import { ROW } from './row';
import { useView, type View } from './size';

/** Heads as lines: queries left, keys right, a curve for each weight between them. */
export function Lines() {
  const { state, t } = useEnv();
  const { queries, keys } = state.heads.reading.value;
  const load = state.head.value;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useView(scroller);
  const rows = useComputed(() => {
    const { queries, keys } = state.heads.reading.value;
    return Math.max(queries.entries.length, keys.entries.length);
  });
  const window = useWindow(view, rows);
  // A canvas is not searched, and each of its rows costs.
  const drawn = useWindow(view, rows, 0);
  const { start, end } = window.value;
  const width = useComputed(() => view.value.width).value;
  const left = useColumn(queries, scroller, width, 60);
  const right = useColumn(keys, scroller, width, 16);
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
      <div class="attnlab-head-body" style={{ height: `${rows.value * ROW}px` }}>
        <HeadList side="query" axis={queries} window={{ start, end }} scroller={scroller} />
        <Curves window={drawn} />
        <HeadList side="key" axis={keys} window={{ start, end }} scroller={scroller} />
      </div>
      <Rests />
    </div>
  );
}

/** The rows in view and nearly so, the same object while they are the same. */
function useWindow(
  view: ReadonlySignal<View>,
  rows: ReadonlySignal<number>,
  all?: number
): ReadonlySignal<Stretch> {
  const before = useRef<Stretch | null>(null);
  return useComputed(() => {
    const { top, height } = view.value;
    const next = stretch(rows.value, top, height, ROW, undefined, all);
    return (before.current = steady(next, before.current));
  });
}

/** Width for a column of tokens: as wide as the widest, up to a share of the panel. */
function useColumn(
  { entries }: Axis,
  box: { current: HTMLElement | null },
  width: number,
  room: number
): number {
  const [ruler, setRuler] = useState<Ruler | null>(null);
  useLayoutEffect(() => {
    const body = box.current?.firstElementChild;
    if (body) {
      setRuler(new Ruler(fontOf(body)));
    }
  }, []);
  const widest = useMemo(
    () =>
      ruler
        ? entries.reduce((most, { token }) => Math.max(most, ruler.width(shown(token))), 24)
        : 48,
    [entries, ruler]
  );
  return Math.ceil(Math.min(widest + room, Math.max(64, width * 0.3)));
}
