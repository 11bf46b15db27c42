import { useComputed, type ReadonlySignal, type Signal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { drawVectorStrips, type VectorStrips } from '../../draw/vector-strips';
import type { RowRange } from '../../draw/visible-rows';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { strength } from '../../state/heads/neuron';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import type { Caret } from './caret';
import type { ColorScales } from './color-scales';
import type { Layout } from './layout';
import { RotaryPartner } from './rotary-pair';

/** A strip of numbers for each key, and its position. */
export interface StripBlock {
  left: number;
  side: number;
  numbers: Float32Array;
  width: number;
  order: readonly number[];
  scale: number;
}

/** The strips of the keys and of the products; empty until a query is loaded. */
export function useStripBlocks(
  dissected: Breakdown | null,
  scales: ColorScales | null,
  { side, k, product }: Layout,
  order: readonly number[]
): readonly StripBlock[] {
  return useMemo(() => {
    if (!dissected || !scales) {
      return [];
    }
    const { vectors, products } = dissected;
    return [
      { ...vectors, numbers: vectors.data, left: k, scale: scales.k, side, order },
      { ...products, numbers: products.data, left: product, scale: scales.product, side, order }
    ];
  }, [dissected, scales, side, k, product, order]);
}

interface StripsProps {
  /** Left edge of the canvas, and its width. */
  left: number;
  width: number;
  rows: RowRange;
  blocks: readonly StripBlock[];
  name: string;
}

/** The strips of the visible rows, on one canvas. */
export function StripCanvas({ left, width, rows, blocks, name }: StripsProps) {
  const { palette } = useEnv();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { signed } = palette.value;
  useLayoutEffect(() => {
    const strips = blocks.map(({ scale, left: at, ...block }): VectorStrips => ({
      ...block,
      left: at - left,
      strength: number => strength(number, scale)
    }));
    if (canvas.current) {
      drawVectorStrips(canvas.current, width, ROW_HEIGHT, rows, strips, signed);
    }
  }, [left, width, rows.start, rows.end, blocks, signed]);
  return (
    <canvas
      ref={canvas}
      class="attnlab-neuron-strips"
      aria-hidden="true"
      data-testid={name}
      data-start={rows.start}
      style={{ left: `${left}px`, top: `${rows.start * ROW_HEIGHT}px` }}
    />
  );
}

interface DimensionProps {
  dissected: Breakdown | null;
  caret: Signal<Caret | null>;
  /** Left edges of the strips. */
  lefts: readonly number[];
  side: number;
  order: readonly number[];
}

/** Marks the dimension under the caret, the selected one and its rotary partner in all strips. */
export function DimensionMarks({ dissected, caret, lefts, side, order }: DimensionProps) {
  const { state } = useEnv();
  const over = useComputed(() => caret.value?.dimension ?? null);
  const column = (of: ReadonlySignal<number | null>, selected: boolean) => {
    const position = of.value === null ? -1 : order.indexOf(of.value);
    return position < 0
      ? null
      : lefts.map(left => (
          <div
            key={`${selected} ${left}`}
            class="attnlab-neuron-dimension"
            data-testid="attnlab-neuron-dimension"
            data-selected={selected || undefined}
            style={{ left: `${left + position * side - 1.5}px`, width: `${side + 3}px` }}
          />
        ));
  };
  return (
    <>
      {column(over, false)}
      {column(state.selection.dimension, true)}
      <RotaryPartner dissected={dissected} caret={caret} lefts={lefts} side={side} order={order} />
    </>
  );
}
