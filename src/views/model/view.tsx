import { useComputed, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Focus } from '../../protocol/messages';
import { useEnv } from '../parts/env';
import { useScrollArea } from '../parts/scroll-area';
import { LayerGroupRows } from './layer-group';
import { bandOf, type Band } from './layout';
import { Preview } from './preview';
import { useScores } from './scores';
import { useSelectionTicks } from './selection-ticks';
import { SortedGrid } from './sorted-grid';
import { SortedRows } from './sorted-rows';
import { ModelCanvas } from './thumbnail-canvas';
import type { ThumbnailAppearance } from './thumbnails';
import { columnsOf, ModelTitle } from './title';
import { useHeadSelection } from './use-head-selection';
import { useModelGrid } from './use-model-grid';
import { useWheelZoom } from './wheel-zoom';

/** Thumbnails of all heads, by layer or sorted by a score. */
export function ModelView() {
  const { state, t } = useEnv();
  const trace = state.trace.value;
  const box = useRef<HTMLDivElement>(null);
  const sheet = useRef<HTMLDivElement>(null);
  const view = useScrollArea(box);
  const width = useComputed(() => view.value.width).value;
  const scores = useScores(trace);
  const { grid, gridAt, every, groups } = useModelGrid(trace, width, scores);
  useWheelZoom(box, sheet, grid, gridAt);
  useSelectionTicks(box, grid.side);
  const pointed = useSignal<Focus | null>(null);
  const handlers = useHeadSelection(box, grid, pointed);

  const visible = useSignal<readonly Focus[]>(every);
  useLayoutEffect(() => {
    visible.value = grid.heads;
  }, [grid]);
  const tabStop = useComputed(() => {
    const { site, head } = state.selection.focus.value;
    const found = visible.value.find(of => of.site === site && of.head === head);
    return found ?? visible.value[0] ?? null;
  });
  const count = useSignal(every.length);
  count.value = every.length;
  const before = useRef<Band | null>(null);
  const band = useComputed(() => {
    const { top, height } = view.value;
    return (before.current = bandOf(count.value, top, height, before.current));
  }).value;

  if (!trace) {
    return null;
  }
  const load = state.thumbnails.value;
  const labelled = groups.length > 1;
  const { sort, bars } = scores;
  const appearance: ThumbnailAppearance = {
    side: grid.side,
    sort: grid instanceof SortedGrid ? sort : null,
    bars,
    tabStop
  };
  return (
    <>
      <ModelTitle groups={groups} grid={grid} scores={scores} />
      <div
        ref={box}
        class="attnlab-scroller attnlab-model"
        data-mode={state.display.thumbnails.value}
        role="grid"
        aria-label={t('Layers and heads')}
        aria-multiselectable="true"
        aria-rowcount={grid.rows}
        aria-colcount={grid instanceof SortedGrid ? grid.columns : columnsOf(groups) + 1}
        aria-busy={
          load.state === 'pending' || (load.state === 'ready' && load.sampled && !load.why)
        }
        {...handlers}
      >
        {grid.heads.length === 0 && <p class="attnlab-soft">{t('No heads match the filter.')}</p>}
        <div class="attnlab-model-frame" role="presentation">
          <div ref={sheet} class="attnlab-model-sheet" role="presentation">
            <ModelCanvas grid={grid} view={view} />
            {grid instanceof SortedGrid ? (
              <SortedRows trace={trace} grid={grid} appearance={appearance} band={band} />
            ) : (
              grid.placed.map(({ group, from, index }) => (
                <LayerGroupRows
                  key={`${group.kind} ${group.stack}`}
                  group={group}
                  appearance={appearance}
                  labelled={labelled}
                  band={band}
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
