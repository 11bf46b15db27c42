import { useComputed, useSignalEffect, type Signal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { keepIfEqual, RENDER_ALL, visibleRows, type RowRange } from '../../draw/visible-rows';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { useScrollArea } from '../parts/scroll-area';
import { scrollToLine, useScrollToSelection } from '../parts/scroll-into-view';
import type { Caret } from './caret';
import { useColorScales } from './color-scales';
import { NeuronHeader } from './header';
import { KeyRow } from './key-row';
import { columnsOf } from './layout';
import { useStripLabel } from './rotary-pair';
import { SinkRow } from './sink-row';
import { useNeuronInput } from './use-neuron-input';
import { useNeuronLayout } from './use-neuron-layout';
import { DimensionMarks, StripCanvas } from './vector-strips';

/** Space beside the columns in pixels, as in `style/neuron.css`. */
const PADDING = 20;

/** Height of the two header rows in pixels. */
const HEADER = 35;

interface NeuronGridProps {
  /** The score terms of the query; null until they are loaded. */
  dissected: Breakdown | null;
  caret: Signal<Caret | null>;
}

/** The query, and below it a row for every key: strips, scores and weight. */
export function NeuronGrid({ dissected, caret }: NeuronGridProps) {
  const { state, t } = useEnv();
  const { selection, sides } = state;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useScrollArea(scroller);
  // While a query loads, the columns stay as they are.
  const last = useRef<Breakdown | null>(null);
  last.current = dissected ?? last.current;
  const { neuron: query, vectors, rotated } = last.current ?? {};
  const room = useComputed(() => view.value.width - PADDING).value;
  const { layout, numbers, order, dimension } = useNeuronLayout(room, last.current);
  const handlers = useNeuronInput(caret, layout.side, order, dimension);
  const stripLabel = useStripLabel(vectors?.width ?? 0, rotated?.size ?? 0);
  const scales = useColorScales(dissected);
  const { keys } = sides.value;

  const before = useRef<RowRange | null>(null);
  const window = useComputed(() => {
    const { top, height } = view.value;
    const total = sides.value.keys.length;
    // Never all rows, even of a short text: a row has many cells.
    const { start, end } = visibleRows(Math.max(RENDER_ALL + 1, total), top, height, ROW_HEIGHT, 6);
    const next = { start: Math.min(start, total), end: Math.min(end, total) };
    return (before.current = keepIfEqual(next, before.current));
  }).value;
  const blocks = useMemo(() => {
    if (!dissected || !scales) {
      return [];
    }
    const { side, k, product } = layout;
    return [
      { ...dissected.vectors, numbers: dissected.vectors.data, left: k, scale: scales.k },
      {
        ...dissected.products,
        numbers: dissected.products.data,
        left: product,
        scale: scales.product
      }
    ].map(block => ({ ...block, side, order }));
  }, [dissected, scales, layout, order]);
  const active = useComputed(() => {
    const key = selection.shownKey.value;
    return key === null ? undefined : `${state.id}-neuron-${key}`;
  });

  useSignalEffect(() => {
    // Scrolls to the row and the dimension of a caret that was moved by keys.
    const { key } = selection.hover.value;
    const position = caret.value?.byKey ? order.indexOf(caret.value.dimension) : -1;
    const box = scroller.current;
    if (!box?.matches(':focus')) {
      return;
    }
    if (key !== undefined) {
      scrollToLine(box, key, ROW_HEIGHT, HEADER);
    }
    if (position >= 0) {
      const left = layout.k + position * layout.side;
      const least = layout.product + (position + 1) * layout.side - (box.clientWidth - PADDING);
      const most = left - layout.token;
      box.scrollLeft = Math.max(Math.min(least, left), Math.min(most, box.scrollLeft));
    }
  });
  useScrollToSelection(selection.key.value, key =>
    scrollToLine(scroller.current, key, ROW_HEIGHT, HEADER)
  );

  return (
    <div
      ref={scroller}
      class="attnlab-scroller attnlab-neuron"
      role="grid"
      tabIndex={0}
      aria-label={t('Score terms by key')}
      aria-rowcount={keys.length + 2}
      aria-activedescendant={active}
      aria-busy={!dissected}
      data-testid="attnlab-neuron"
      data-query={dissected?.query}
      style={{ '--attnlab-columns': columnsOf(layout, numbers) }}
      {...handlers}
    >
      <NeuronHeader
        dissected={dissected}
        steps={query?.steps ?? []}
        dimension={dimension}
        layout={layout}
        order={order}
        scale={scales?.q ?? 1}
        caret={caret}
      />
      <div
        class="attnlab-neuron-body"
        role="rowgroup"
        style={{ width: `${layout.total}px`, height: `${keys.length * ROW_HEIGHT}px` }}
      >
        {dissected && (
          <StripCanvas
            left={layout.k}
            width={layout.product + layout.strip - layout.k}
            rows={window}
            blocks={blocks}
            name="attnlab-neuron-strips"
          />
        )}
        <DimensionMarks
          dissected={dissected}
          caret={caret}
          lefts={[layout.k, layout.product]}
          side={layout.side}
          order={order}
        />
        {keys.slice(window.start, window.end).map((token, i) => (
          <KeyRow
            key={window.start + i}
            id={`${state.id}-neuron-${window.start + i}`}
            index={window.start + i}
            token={token}
            dissected={dissected}
            scales={scales}
            dimension={dimension}
            stripLabel={stripLabel}
          />
        ))}
      </div>
      <SinkRow dissected={dissected} dimension={dimension} scales={scales} width={layout.total} />
    </div>
  );
}
