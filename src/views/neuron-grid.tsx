import { useComputed, useSignalEffect, type Signal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import { ALL, steady, stretch, type Stretch } from '../draw/window';
import type { Dissected } from '../state/dissection';
import { byContribution, inOrder, largest } from '../state/neuron';
import { onTokenKey, pointing } from './cursor';
import { useEnv } from './env';
import { dimensionAt, moveCaret, type Caret } from './neuron-caret';
import { NeuronHeader, SinkRow } from './neuron-header';
import { columnsOf, layoutOf } from './neuron-layout';
import { useOnStrips } from './neuron-pair';
import { NeuronRow } from './neuron-row';
import { useScales } from './neuron-scales';
import { Dimensions, StripCanvas } from './neuron-strips';
import { scrollToLine, useReveal } from './reveal';
import { ROW } from './row';
import { useView } from './size';

/** Space beside the columns, as in `style/neuron.css`. */
const PADDING = 20;

/** Height of the two lines above the keys. */
const HEADER = 35;

interface GridProps {
  /** What is shown; null until it has come. */
  dissected: Dissected | null;
  caret: Signal<Caret | null>;
}

/** A row for every key, under the query: strips, scores and weights. */
export function NeuronGrid({ dissected, caret }: GridProps) {
  const { state, t, palette } = useEnv();
  const { selection, display, sides } = state;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useView(scroller);
  // Until other numbers come, the columns stay where they are.
  const last = useRef<Dissected | null>(null);
  last.current = dissected ?? last.current;
  const { neuron: apart, vectors, products } = last.current ?? {};
  const dimensions = vectors?.width ?? 0;
  const neuron = (selection.neuron.value ?? Infinity) < dimensions ? selection.neuron.value : null;
  const numbers = (apart?.steps.length ?? 0) + (neuron === null ? 0 : 2);
  const colours = palette.value; // new also where a zoom has changed the device's pixels
  const room = useComputed(() => view.value.width - PADDING).value;
  const layout = useMemo(
    () => layoutOf(room, dimensions, numbers, devicePixelRatio || 1),
    [room, dimensions, numbers, colours]
  );
  const target = selection.key.value;
  const sorted = display.neurons.value === 'contribution';
  const order = useMemo(() => {
    if (!sorted || !products || !apart) {
      return inOrder(dimensions);
    }
    const key = target !== null && target < products.keys ? target : largest(apart.weights);
    return byContribution(products, key ?? 0);
  }, [sorted, products, apart, target, dimensions]);
  const { keys } = sides.value;
  const before = useRef<Stretch | null>(null);
  const window = useComputed(() => {
    const { top, height } = view.value;
    const total = sides.value.keys.length;
    // Only what is in view, however few there are: a row has many cells.
    const { start, end } = stretch(Math.max(ALL + 1, total), top, height, ROW, 6);
    const next = { start: Math.min(start, total), end: Math.min(end, total) };
    return (before.current = steady(next, before.current));
  }).value;
  const scales = useScales(dissected);
  const blocks = useMemo(() => {
    const { side, k, product } = layout;
    return dissected && scales
      ? [
          { ...dissected.vectors, numbers: dissected.vectors.data, left: k, scale: scales.k },
          {
            ...dissected.products,
            numbers: dissected.products.data,
            left: product,
            scale: scales.product
          }
        ].map(block => ({ ...block, side, order }))
      : [];
  }, [dissected, scales, layout, order]);
  const active = useComputed(() => {
    const key = selection.shownKey.value;
    return key === null ? undefined : `${state.id}-neuron-${key}`;
  });
  useSignalEffect(() => {
    // Keys have moved the row or the dimension: bring it into view.
    const { key } = selection.hover.value;
    const place = caret.value?.byKey ? order.indexOf(caret.value.dimension) : -1;
    const box = scroller.current;
    if (!box?.matches(':focus')) {
      return;
    }
    if (key !== undefined) {
      scrollToLine(box, key, ROW, HEADER);
    }
    if (place >= 0) {
      const left = layout.k + place * layout.side;
      const room = box.clientWidth - PADDING;
      const least = layout.product + (place + 1) * layout.side - room;
      box.scrollLeft = Math.max(
        Math.min(least, left),
        Math.min(left - layout.token, box.scrollLeft)
      );
    }
  });

  useReveal(selection.key.value, key => scrollToLine(scroller.current, key, ROW, HEADER));

  const onStrips = useOnStrips(dimensions, last.current?.rotated.size ?? 0);
  const points = pointing(selection, 'key');
  const leave = (): void => {
    caret.value = null;
    points.onPointerLeave();
  };
  const keep = (dimension: number): void => {
    selection.neuron.value = selection.neuron.peek() === dimension ? null : dimension;
  };
  return (
    <div
      ref={scroller}
      class="attnlab-scroller attnlab-neuron"
      role="grid"
      tabIndex={0}
      aria-label={t('Keys of the query, taken apart')}
      aria-rowcount={keys.length + 2}
      aria-activedescendant={active}
      aria-busy={!dissected}
      data-testid="attnlab-neuron"
      data-query={dissected?.query}
      style={{ '--attnlab-columns': columnsOf(layout, numbers) }}
      onPointerMove={event => {
        points.onPointerMove(event);
        const dimension = dimensionAt(event, layout.side, order);
        if (dimension !== (caret.peek()?.dimension ?? null)) {
          caret.value = dimension === null ? null : { dimension, byKey: false };
        }
      }}
      onPointerLeave={leave}
      onBlur={leave}
      onClick={event => {
        const dimension = dimensionAt(event, layout.side, order);
        if (dimension === null) {
          points.onClick(event);
        } else {
          keep(dimension);
        }
      }}
      onKeyDown={event => {
        const moved = caret.peek();
        if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
          event.preventDefault();
          moveCaret(caret, order, neuron, event.key === 'ArrowRight' ? 1 : -1);
        } else if ((event.key === 'Enter' || event.key === ' ') && moved) {
          event.preventDefault();
          keep(moved.dimension);
        } else {
          onTokenKey(event, selection, 'key', keys.length);
        }
      }}
    >
      <NeuronHeader
        dissected={dissected}
        steps={apart?.steps ?? []}
        neuron={neuron}
        layout={layout}
        order={order}
        scale={scales?.q ?? 1}
        caret={caret}
      />
      <div
        class="attnlab-neuron-body"
        role="rowgroup"
        style={{ width: `${layout.total}px`, height: `${keys.length * ROW}px` }}
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
        <Dimensions
          dissected={dissected}
          caret={caret}
          lefts={[layout.k, layout.product]}
          side={layout.side}
          order={order}
        />
        {keys.slice(window.start, window.end).map((token, i) => (
          <NeuronRow
            key={window.start + i}
            id={`${state.id}-neuron-${window.start + i}`}
            index={window.start + i}
            token={token}
            dissected={dissected}
            scales={scales}
            neuron={neuron}
            onStrips={onStrips}
          />
        ))}
      </div>
      <SinkRow dissected={dissected} neuron={neuron} scales={scales} width={layout.total} />
    </div>
  );
}
