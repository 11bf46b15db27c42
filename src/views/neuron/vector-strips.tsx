import { useComputed, type ReadonlySignal, type Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { drawVectorStrips, type VectorStrips } from '../../draw/vector-strips';
import type { RowRange } from '../../draw/visible-rows';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { strength } from '../../state/heads/neuron';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import type { Caret } from './caret';
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
