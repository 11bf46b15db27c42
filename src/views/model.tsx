import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Focus } from '../protocol/messages';
import { headsOf, ranked, UNFILTERED, type Filter } from '../state/ordering';
import { useEnv } from './env';
import { ModelFigure } from './figure';
import { layerRows, sortedRows } from './figure-rows';
import { Fold } from './fold';
import { Group } from './group';
import { useHelp } from './help';
import { ModelControls } from './model-controls';
import {
  bandOf,
  headHeight,
  LEAST_ZOOM,
  linesOf,
  MOST_ZOOM,
  rowHeight,
  sideOf
} from './model-layout';
import { useScores, type ModelScores } from './model-scores';
import { Preview } from './preview';
import { groupsOf, neighbour, neighbourInLines } from './rows';
import { useView } from './size';
import { lineHeight, Sorted } from './sorted';
import type { Look } from './thumbs';
import { Working } from './working';

/** Width of the layers' labels and the padding, in pixels; as in `style/model.css`. */
const LABELS = 20;
const PADDING = 20;

/** How much of the zoom a pixel of the wheel is. */
const WHEEL = 0.002;

/** All layers × heads. */
export function ModelView() {
  const { state, t } = useEnv();
  const trace = state.trace.value;
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box);
  const filter = useSignal<Filter>(UNFILTERED);
  const pointed = useSignal<Focus | null>(null);
  const scores = useScores(trace);
  const { order, sort, bars } = scores;
  const { help, helped } = useHelp('model');
  const { layers, least } = filter.value;
  const every = useMemo(() => (trace ? headsOf(trace) : []), [trace]);
  const all = useMemo(() => (trace ? groupsOf(trace) : []), [trace]);
  const groups = useMemo(
    () =>
      all.flatMap(group => {
        const rows = group.rows.filter(({ layer }) => layers?.has(layer) ?? true);
        return rows.length > 0 ? { ...group, rows } : [];
      }),
    [all, layers]
  );
  const sorted = useMemo(
    () => sort && ranked(every, sort.scores, order.ascending, { layers, least }),
    [every, sort?.scores, sort?.name, order.ascending, layers, least]
  );
  const width = useComputed(() => view.value.width);
  const zoom = state.display.zoom.value;
  const room = width.value - PADDING;
  const lines = useMemo(() => linesOf(room, zoom), [room, zoom]);
  const side = sorted ? lines.side : sideOf(trace?.sites ?? [], room - LABELS, zoom);
  const shown = useSignal<readonly Focus[]>(every);
  useLayoutEffect(() => {
    shown.value = sorted ?? every.filter(({ layer }) => layers?.has(layer) ?? true);
  }, [sorted, every, layers]);
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
  const look: Look = { side, sort: sorted && sort, bars, stop };

  // Where each group begins, in pixels and in rows of the grid.
  const labelled = all.length > 1;
  let [y, row] = [0, 1];
  const placed = groups.map(group => {
    const from = y + headHeight(labelled);
    const index = row;
    const heights = group.rows.map(({ site }) => rowHeight(site, side, bars !== null));
    y = heights.reduce((sum, height) => sum + height, from);
    row += 1 + heights.length;
    return { group, from, index, heights };
  });

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
      box.current.scrollTop = topOf(to);
    }
    take();
  };
  const topOf = ({ site, head }: Focus): number => {
    if (sorted) {
      const at = sorted.findIndex(of => of.site === site && of.head === head);
      return Math.floor(at / lines.across) * lineHeight(look);
    }
    for (const { group, from, heights } of placed) {
      const at = group.rows.findIndex(row => row.site?.index === site);
      if (at >= 0) {
        return heights.slice(0, at).reduce((sum, height) => sum + height, from);
      }
    }
    return 0;
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
    const next = sorted
      ? neighbourInLines(sorted, lines.across, here, event.key, far)
      : neighbour(groups, here, event.key, far);
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
  useEffect(() => {
    // Not passive: the page must not zoom as well.
    const onWheel = (event: WheelEvent): void => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const zoom = state.display.zoom.peek() * Math.exp(-WHEEL * event.deltaY);
        state.display.zoom.value = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, zoom));
      }
    };
    const element = box.current;
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, [trace === null]);

  if (!trace) {
    return null;
  }
  const load = state.thumbnails.value;
  const sampled = load.state === 'ready' && load.sampled;
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
          {sampled ? (
            <Sampled why={load.why} />
          ) : (
            <Working word={t('computing…')} progress={state.progress.thumbnails} />
          )}
          {load.state === 'failed' && <span class="attnlab-failed">{t('has not come')}</span>}
          <Scoring scores={scores} />
          {help}
          <ModelFigure
            rows={() => (sorted ? sortedRows(sorted, lines.across) : layerRows(groups))}
          />
        </h2>
        {helped}
        <ModelControls scores={scores} filter={filter} />
      </div>
      <div
        ref={box}
        class="attnlab-scroller attnlab-model"
        role="grid"
        aria-label={t('Layers and heads')}
        aria-multiselectable="true"
        aria-rowcount={sorted ? Math.ceil(sorted.length / lines.across) : row - 1}
        aria-colcount={sorted ? lines.across : columns + 1}
        aria-busy={load.state === 'pending' || (sampled && !load.why)}
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
        {sorted ? (
          <Sorted trace={trace} heads={sorted} lines={lines} look={look} band={inPage} />
        ) : (
          placed.map(({ group, from, index }) => (
            <Group
              key={`${group.kind} ${group.stack}`}
              group={group}
              look={look}
              labelled={labelled}
              band={inPage}
              from={from}
              index={index}
            />
          ))
        )}
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

/** Says that the scores are on their way, or why they are not here. */
function Scoring({ scores: { load } }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  if (load?.state === 'failed') {
    return (
      <span class="attnlab-failed" data-testid="attnlab-scores-failed" title={load.why}>
        {t('No scores: %1', load.why)}
      </span>
    );
  }
  if (load?.state !== 'pending') {
    return null;
  }
  return state.progress.scores.value ? (
    <Working word={t('scoring…')} progress={state.progress.scores} />
  ) : (
    <span class="attnlab-working">{t('scoring…')}</span>
  );
}

/** Says that the thumbnails are of some queries only, and how far the whole ones are. */
function Sampled({ why }: { why: string | undefined }) {
  const { state, t } = useEnv();
  const now = state.progress.thumbnails.value;
  const share = now && now.total > 0 ? t(' %1 %', Math.floor((100 * now.done) / now.total)) : '';
  return (
    <span
      class="attnlab-working"
      data-testid="attnlab-sampled"
      title={
        why ??
        t(
          'Drawn from some of the queries, so that a pixel may lack its largest weight, until all are.'
        )
      }
    >
      {why === undefined ? t('sampled, refining…') + share : t('sampled')}
    </span>
  );
}
