import { useComputed, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Focus } from '../../protocol/messages';
import { useEnv } from '../parts/env';
import { useScrollArea } from '../parts/scroll-area';
import { SortedGrid } from './grid/sorted-grid';
import { useBand } from './grid/use-band';
import { useModelGrid } from './grid/use-model-grid';
import { useSelectionTicks } from './input/selection-ticks';
import { useHeadSelection } from './input/use-head-selection';
import { useTabStop } from './input/use-tab-stop';
import { useWheelZoom } from './input/wheel-zoom';
import { Preview } from './preview/preview';
import { useScores } from './scores';
import { ThumbnailRows } from './thumbnails/rows';
import { ModelCanvas } from './thumbnails/thumbnail-canvas';
import type { ThumbnailAppearance } from './thumbnails/thumbnails';
import { columnsOf, ModelTitle } from './title/title';

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
  const tabStop = useTabStop(grid, every);
  const band = useBand(view, every.length);

  if (!trace) {
    return null;
  }
  const load = state.thumbnails.value;
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
            <ThumbnailRows
              trace={trace}
              grid={grid}
              appearance={appearance}
              labelled={groups.length > 1}
              band={band}
            />
          </div>
        </div>
      </div>
      <Preview pointed={pointed} heads={every} grid={box} />
    </>
  );
}
