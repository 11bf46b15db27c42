import type { Signal } from '@preact/signals';
import { formatScore } from '../../draw/format-number';
import type { Breakdown } from '../../state/heads/query-breakdown';
import type { Rotated } from '../../state/heads/neuron';
import { useEnv } from '../parts/env';
import type { Caret } from './caret';

interface PairProps {
  dissected: Breakdown | null;
  caret: Signal<Caret | null>;
  side: number;
  order: readonly number[];
}

/** Marks the rotary partner of the current dimension in all strips. */
export function RotaryPartner({ lefts, ...props }: PairProps & { lefts: readonly number[] }) {
  const positions = usePositions(props);
  return (
    positions &&
    lefts.map(left => (
      <div
        key={left}
        class="attnlab-neuron-partner"
        data-testid="attnlab-neuron-partner"
        style={{
          left: `${left + positions.partner * props.side - 1}px`,
          width: `${props.side + 2}px`
        }}
      />
    ))
  );
}

/** Joins the dimensions of the rotary pair above the strip of the query. */
export function RotaryBracket({ left, ...props }: PairProps & { left: number }) {
  const positions = usePositions(props);
  if (!positions) {
    return null;
  }
  const [from, to] = [positions.current, positions.partner].sort((a, b) => a - b) as [
    number,
    number
  ];
  return (
    <div
      class="attnlab-neuron-bracket"
      data-testid="attnlab-neuron-bracket"
      aria-hidden="true"
      style={{
        left: `${left + (from + 0.5) * props.side - 0.5}px`,
        width: `${(to - from) * props.side + 1}px`
      }}
    />
  );
}

/** Describes the rotary pair of the current dimension. */
export function RotaryNote({ dissected, caret }: Pick<PairProps, 'dissected' | 'caret'>) {
  const { state } = useEnv();
  const describe = useRotaryText();
  const dimension = caret.value?.dimension ?? state.selection.dimension.value;
  const said = describe(dissected?.rotated.get(dimension ?? -1));
  return (
    said && (
      <span class="attnlab-neuron-rotation" data-testid="attnlab-neuron-rotation" title={said}>
        {said}
      </span>
    )
  );
}

/** Returns a function that describes a rotary pair; empty if no rotation was observed. */
export function useRotaryText(): (rotated: Rotated | undefined) => string {
  const { t } = useEnv();
  return rotated => {
    if (!rotated) {
      return '';
    }
    const { partner, pair, pairs, wavelength } = rotated;
    return wavelength === null
      ? t('rotates with %1 (pair %2 of %3)', partner, pair, pairs)
      : t(
          'rotates with %1 (pair %2 of %3), period ≈ %4 tokens',
          partner,
          pair,
          pairs,
          formatScore(wavelength)
        );
  };
}

/** The label of a strip for screen readers. */
export function useStripLabel(dimensions: number, rotated: number): string {
  const { t } = useEnv();
  return rotated > 0
    ? t(
        '%1 dimensions, %2 of them rotated in pairs; press Left or Right to read them',
        dimensions,
        rotated
      )
    : t('%1 dimensions; press Left or Right to read them', dimensions);
}

/** Positions of the current dimension and of its rotary partner in the order. */
function usePositions({
  dissected,
  caret,
  order
}: PairProps): { current: number; partner: number } | null {
  const { state } = useEnv();
  const dimension = caret.value?.dimension ?? state.selection.dimension.value;
  const rotated = dimension === null ? undefined : dissected?.rotated.get(dimension);
  return dimension === null || !rotated
    ? null
    : { current: order.indexOf(dimension), partner: order.indexOf(rotated.partner) };
}
