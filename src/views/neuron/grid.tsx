import { useComputed, type Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { useScrollArea } from '../parts/scroll-area';
import { scrollToLine, useScrollToSelection } from '../parts/scroll-into-view';
import type { Caret } from './caret';
import { useColorScales } from './color-scales';
import { NeuronHeader } from './header';
import { KeyRow } from './key-row';
import { columnsOf, HEADER, PADDING } from './layout';
import { useStripLabel } from './rotary-pair';
import { SinkRow } from './sink-row';
import { useCaretScroll } from './use-caret-scroll';
import { useKeyRows } from './use-key-rows';
import { useNeuronInput } from './use-neuron-input';
import { useNeuronLayout } from './use-neuron-layout';
import { DimensionMarks, StripCanvas, useStripBlocks } from './vector-strips';

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
  const rows = useKeyRows(view);
  const blocks = useStripBlocks(dissected, scales, layout, order);
  const active = useComputed(() => {
    const key = selection.shownKey.value;
    return key === null ? undefined : `${state.id}-neuron-${key}`;
  });
  useCaretScroll(scroller, caret, layout, order);
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
            rows={rows}
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
        {keys.slice(rows.start, rows.end).map((token, i) => (
          <KeyRow
            key={rows.start + i}
            id={`${state.id}-neuron-${rows.start + i}`}
            index={rows.start + i}
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
