import { useComputed, useSignal } from '@preact/signals';
import { useCallback, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Focus } from '../protocol/messages';
import { headsOf, ranked } from '../state/ordering';
import { useEnv } from './env';
import { ModelFigure } from './figure';
import { layerRows, sortedRows } from './figure-rows';
import { Fold } from './fold';
import { Group } from './group';
import { useHelp } from './help';
import { ModelControls } from './model-controls';
import { LayerGrid, SortedGrid } from './model-grid';
import { bandOf, INSET, LABELS, linesOf, sideOf } from './model-layout';
import { useScores } from './model-scores';
import { ModelPicture } from './model-picture';
import { ModelStatus } from './model-status';
import { useWheelZoom } from './model-zoom';
import { Preview } from './preview';
import { filtered, groupsOf } from './rows';
import { useView } from './size';
import { Sorted } from './sorted';
import type { Look } from './thumbs';
import { useTicks } from './ticks';

/** All layers × heads. */
export function ModelView() {
  const { state, t } = useEnv();
  const trace = state.trace.value;
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box);
  const pointed = useSignal<Focus | null>(null);
  const scores = useScores(trace);
  const { order, sort, bars } = scores;
  const { help, helped } = useHelp('model');
  const filter = state.display.filter.value;
  const every = useMemo(() => (trace ? headsOf(trace) : []), [trace]);
  const all = useMemo(() => (trace ? groupsOf(trace) : []), [trace]);
  const groups = useMemo(() => filtered(all, filter), [all, filter]);
  const sorted = useMemo(
    () => sort && ranked(every, sort.scores, order.ascending, filter),
    [every, sort?.scores, sort?.name, order.ascending, filter]
  );
  const width = useComputed(() => view.value.width);
  const zoom = state.display.zoom.value;
  const room = width.value - 2 * INSET;
  const gridAt = useCallback(
    (zoom: number) => {
      if (sorted) {
        const lines = linesOf(room, zoom);
        return new SortedGrid(sorted, lines, { side: lines.side, bars });
      }
      const side = sideOf(
        groups.flatMap(({ rows }) => rows),
        room - LABELS,
        zoom
      );
      return new LayerGrid(groups, { side, bars }, all.length > 1);
    },
    [sorted, groups, all, room, bars !== null]
  );
  const grid = useMemo(() => gridAt(zoom), [gridAt, zoom]);
  const sheet = useRef<HTMLDivElement>(null);
  useWheelZoom(box, sheet, grid, gridAt);
  useTicks(box, grid.side);
  const shown = useSignal<readonly Focus[]>(every);
  useLayoutEffect(() => {
    shown.value = grid.heads;
  }, [grid]);
  const stop = useComputed(() => {
    const { site, head } = state.selection.focus.value;
    const found = shown.value.find(of => of.site === site && of.head === head);
    return found ?? shown.value[0] ?? null;
  });
  const count = useSignal(every.length);
  count.value = every.length;
  const band = useComputed(() =>
    JSON.stringify(bandOf(count.value, view.value.top, view.value.height))
  );
  const inPage = JSON.parse(band.value) as ReturnType<typeof bandOf>;
  const look: Look = { side: grid.side, sort: sorted && sort, bars, stop };

  /** A head that takes the keyboard as soon as it is in the page. */
  const awaited = useRef<Focus | null>(null);
  const take = (): void => {
    const cell = awaited.current && cellOf(box.current, awaited.current);
    if (cell) {
      awaited.current = null;
      cell.focus();
    }
  };
  useLayoutEffect(take);
  const go = (to: Focus): void => {
    awaited.current = to;
    if (!cellOf(box.current, to) && box.current) {
      box.current.scrollTop = grid.topOf(to);
    }
    take();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const { selection } = state;
    const far = event.ctrlKey || event.metaKey;
    const here = headAt(event.target) ?? selection.focus.value;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(here, event.shiftKey);
      return;
    }
    const next = grid.next(here, event.key, far);
    if (next) {
      event.preventDefault();
      // With Shift only the keyboard moves, on to a head that Shift and Enter add.
      if (!event.shiftKey) {
        selection.look(next);
      }
      go(next);
    }
  };
  const choose = (place: Focus, together: boolean): void => {
    const { selection } = state;
    if (together && place.site === selection.focus.peek().site) {
      selection.toggleHead(place.head);
    } else {
      selection.look(place);
    }
  };
  const onClick = (event: MouseEvent): void => {
    const place = headAt(event.target);
    if (place) {
      choose(place, event.shiftKey);
      cellOf(box.current, place)?.focus({ preventScroll: true });
    }
  };
  const point = (target: EventTarget | null): void => {
    const [place, before] = [headAt(target), pointed.peek()];
    if (place?.site !== before?.site || place?.head !== before?.head) {
      pointed.value = place;
    }
  };

  if (!trace) {
    return null;
  }
  const load = state.thumbnails.value;
  const columns = Math.max(1, ...all.map(group => group.columns));
  const counts = all.map(({ rows }) => new Set(rows.map(({ layer }) => layer)).size);
  return (
    <>
      <div class="attnlab-model-title">
        <h2 class="attnlab-title">
          <Fold part="model" name={t('Model')} />
          <span class="attnlab-subtitle">
            {t('%1 layers × %2 heads', counts.join(' + '), columns)}
          </span>
          <ModelStatus scores={scores} />
          {help}
          <ModelFigure
            rows={() =>
              grid instanceof SortedGrid
                ? sortedRows(grid.heads, grid.columns, scores.bars)
                : layerRows(groups, scores.bars)
            }
          />
        </h2>
        {helped}
        <ModelControls scores={scores} />
      </div>
      <div
        ref={box}
        class="attnlab-scroller attnlab-model"
        data-as={state.display.thumbnails.value}
        role="grid"
        aria-label={t('Layers and heads')}
        aria-multiselectable="true"
        aria-rowcount={grid.rows}
        aria-colcount={grid instanceof SortedGrid ? grid.columns : columns + 1}
        aria-busy={
          load.state === 'pending' || (load.state === 'ready' && load.sampled && !load.why)
        }
        onKeyDown={onKeyDown}
        onClick={onClick}
        onPointerOver={event => point(event.target)}
        onPointerLeave={() => (pointed.value = null)}
        onPointerDown={() => (pointed.value = null)}
        onFocusIn={({ target }) => {
          if (target instanceof Element && target.matches(':focus-visible')) {
            point(target);
          }
        }}
        onFocusOut={() => (pointed.value = null)}
        onScroll={() => (pointed.value = null)}
      >
        {grid.heads.length === 0 && (
          <p class="attnlab-soft">{t('No head is left by the filter.')}</p>
        )}
        <div class="attnlab-model-frame" role="presentation">
          <div ref={sheet} class="attnlab-model-sheet" role="presentation">
            <ModelPicture grid={grid} view={view} />
            {grid instanceof SortedGrid ? (
              <Sorted trace={trace} grid={grid} look={look} band={inPage} />
            ) : (
              grid.placed.map(({ group, from, index }) => (
                <Group
                  key={`${group.kind} ${group.stack}`}
                  group={group}
                  look={look}
                  labelled={all.length > 1}
                  band={inPage}
                  from={from}
                  index={index}
                />
              ))
            )}
          </div>
        </div>
      </div>
      <Preview pointed={pointed} heads={every} grid={box} />
    </>
  );
}

/** The head whose cell this is or is in. */
function headAt(target: EventTarget | null): Focus | null {
  const cell = target instanceof Element ? target.closest<HTMLElement>('[data-head]') : null;
  return cell && { site: Number(cell.dataset.site), head: Number(cell.dataset.head) };
}

function cellOf(box: HTMLElement | null, { site, head }: Focus): HTMLElement | null {
  return box?.querySelector<HTMLElement>(`[data-site="${site}"][data-head="${head}"]`) ?? null;
}
