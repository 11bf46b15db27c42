import { useMemo } from 'preact/hooks';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { scaleOf } from '../../state/heads/neuron';

/** The scale of the colors for each kind of number. */
export interface ColorScales {
  q: number;
  k: number;
  product: number;
  /** One scale for each score term. */
  steps: number[];
}

/** The color scales of a query. */
export function useColorScales(dissected: Breakdown | null): ColorScales | null {
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
