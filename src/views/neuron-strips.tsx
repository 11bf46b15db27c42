import { useComputed, type ReadonlySignal, type Signal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { drawStrips, type Strips } from '../draw/strips';
import type { Stretch } from '../draw/window';
import type { Dissected } from '../state/dissection';
import { strength } from '../state/neuron';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';
import { Partner } from './neuron-pair';
import { ROW } from './row';

/** A row of numbers for each key, and where they stand. */
export interface Block {
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
  rows: Stretch;
  blocks: readonly Block[];
  name: string;
}

/** The strips of the rows in view, on one canvas. */
export function StripCanvas({ left, width, rows, blocks, name }: StripsProps) {
  const { palette } = useEnv();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { signed } = palette.value;
  useLayoutEffect(() => {
    const strips = blocks.map(({ scale, left: at, ...block }): Strips => ({
      ...block,
      left: at - left,
      strength: number => strength(number, scale)
    }));
    if (canvas.current) {
      drawStrips(canvas.current, width, ROW, rows, strips, signed);
    }
  }, [left, width, rows.start, rows.end, blocks, signed]);
  return (
    <canvas
      ref={canvas}
      class="attnlab-neuron-strips"
      aria-hidden="true"
      data-testid={name}
      data-start={rows.start}
      style={{ left: `${left}px`, top: `${rows.start * ROW}px` }}
    />
  );
}

interface DimensionProps {
  dissected: Dissected | null;
  caret: Signal<Caret | null>;
  /** Left edges of the strips. */
  lefts: readonly number[];
  side: number;
  order: readonly number[];
}

/**
 * Marks a dimension in all strips: the one under the caret, and the selected one; and the one
 * that the first of these is rotated with.
 */
export function Dimensions({ dissected, caret, lefts, side, order }: DimensionProps) {
  const { state } = useEnv();
  const over = useComputed(() => caret.value?.dimension ?? null);
  const column = (of: ReadonlySignal<number | null>, kept: boolean) => {
    const place = of.value === null ? -1 : order.indexOf(of.value);
    return place < 0
      ? null
      : lefts.map(left => (
          <div
            key={`${kept} ${left}`}
            class="attnlab-neuron-dimension"
            data-testid="attnlab-neuron-dimension"
            data-kept={kept || undefined}
            style={{ left: `${left + place * side - 1.5}px`, width: `${side + 3}px` }}
          />
        ));
  };
  return (
    <>
      {column(over, false)}
      {column(state.selection.neuron, true)}
      <Partner dissected={dissected} caret={caret} lefts={lefts} side={side} order={order} />
    </>
  );
}
