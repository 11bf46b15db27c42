import type { Signal } from '@preact/signals';
import { scored } from '../draw/score';
import type { Dissected } from '../state/dissection';
import type { Rotated } from '../state/neuron';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';

interface PairProps {
  dissected: Dissected | null;
  caret: Signal<Caret | null>;
  side: number;
  order: readonly number[];
}

/** Marks in all strips the dimension that the one under the caret, or selected, is rotated with. */
export function Partner({ lefts, ...props }: PairProps & { lefts: readonly number[] }) {
  const places = usePlaces(props);
  return (
    places &&
    lefts.map(left => (
      <div
        key={left}
        class="attnlab-neuron-partner"
        data-testid="attnlab-neuron-partner"
        style={{
          left: `${left + places.partner * props.side - 1}px`,
          width: `${props.side + 2}px`
        }}
      />
    ))
  );
}

/** Joins the two dimensions of that pair, over the query's strip. */
export function Bracket({ left, ...props }: PairProps & { left: number }) {
  const places = usePlaces(props);
  if (!places) {
    return null;
  }
  const [from, to] = [places.own, places.partner].sort((a, b) => a - b) as [number, number];
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

/** Says what the marked dimension is rotated with. */
export function Turn({ dissected, caret }: Pick<PairProps, 'dissected' | 'caret'>) {
  const { state } = useEnv();
  const describe = useRotated();
  const dimension = caret.value?.dimension ?? state.selection.neuron.value;
  const said = describe(dissected?.rotated.get(dimension ?? -1));
  return (
    said && (
      <span class="attnlab-neuron-turn" data-testid="attnlab-neuron-turn" title={said}>
        {said}
      </span>
    )
  );
}

/** Returns what a dimension is rotated with, in words; nothing where that was not seen. */
export function useRotated(): (rotated: Rotated | undefined) => string {
  const { t } = useEnv();
  return rotated => {
    if (!rotated) {
      return '';
    }
    const { partner, pair, pairs, wavelength } = rotated;
    return wavelength === null
      ? t('rotates with %1, pair %2 of %3', partner, pair, pairs)
      : t(
          'rotates with %1, pair %2 of %3, once in ≈ %4 tokens',
          partner,
          pair,
          pairs,
          scored(wavelength)
        );
  };
}

/** Says what the strips hold, to those who do not see them. */
export function useOnStrips(dimensions: number, rotated: number): string {
  const { t } = useEnv();
  return rotated > 0
    ? t(
        '%1 dimensions, of which %2 were seen to be rotated in pairs; left and right read them',
        dimensions,
        rotated
      )
    : t('%1 dimensions; left and right read them', dimensions);
}

/** Places in the order of the marked dimension and of the one that it is rotated with. */
function usePlaces({
  dissected,
  caret,
  order
}: PairProps): { own: number; partner: number } | null {
  const { state } = useEnv();
  const dimension = caret.value?.dimension ?? state.selection.neuron.value;
  const rotated = dimension === null ? undefined : dissected?.rotated.get(dimension);
  return dimension === null || !rotated
    ? null
    : { own: order.indexOf(dimension), partner: order.indexOf(rotated.partner) };
}
