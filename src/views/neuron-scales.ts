import { useMemo } from 'preact/hooks';
import type { Dissected } from '../state/dissection';
import { scaleOf } from '../state/neuron';

/** What full strength is of, for each kind of number. */
export interface Scales {
  q: number;
  k: number;
  product: number;
  /** One for each step. */
  steps: number[];
}

/** The scales of a query that is taken apart. */
export function useScales(dissected: Dissected | null): Scales | null {
  const vectors = dissected?.vectors.data;
  const k = useMemo(() => (vectors ? scaleOf(vectors) : 1), [vectors]);
  return useMemo(
    () =>
      dissected && {
        q: scaleOf(dissected.neuron.q),
        k,
        product: scaleOf(dissected.products.data),
        steps: dissected.neuron.steps.map(({ scores }) => scaleOf(scores))
      },
    [dissected, k]
  );
}
