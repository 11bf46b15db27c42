import { useMemo } from 'preact/hooks';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { byContribution, inOrder, largest } from '../../state/heads/neuron';
import { useEnv } from '../parts/env';
import { layoutOf, type Layout } from './layout';

interface NeuronLayout {
  layout: Layout;
  /** Number of columns with numbers. */
  numbers: number;
  /** The dimensions as sorted on screen. */
  order: readonly number[];
  /** The selected dimension; null if none is, or if the head has fewer dimensions. */
  dimension: number | null;
}

/** The columns of the neuron view and the order of the dimensions. */
export function useNeuronLayout(room: number, dissected: Breakdown | null): NeuronLayout {
  const { state, palette } = useEnv();
  const { selection, display } = state;
  const { neuron: query, vectors, products } = dissected ?? {};
  const dimensions = vectors?.width ?? 0;
  const dimension =
    (selection.dimension.value ?? Infinity) < dimensions ? selection.dimension.value : null;
  const numbers = (query?.steps.length ?? 0) + (dimension === null ? 0 : 2);
  // A new object also when a browser zoom changes the device pixels.
  const colors = palette.value;
  const layout = useMemo(
    () => layoutOf(room, dimensions, numbers, devicePixelRatio || 1),
    [room, dimensions, numbers, colors]
  );
  const target = selection.key.value;
  const sorted = display.dimensionOrder.value === 'contribution';
  const order = useMemo(() => {
    if (!sorted || !products || !query) {
      return inOrder(dimensions);
    }
    const key = target !== null && target < products.keys ? target : largest(query.weights);
    return byContribution(products, key ?? 0);
  }, [sorted, products, query, target, dimensions]);
  return { layout, numbers, order, dimension };
}
