import type { Sides } from '../text/tokens';
import type { Weights } from './weights';

/**
 * Whether a query has no row because it was not passed through the model: a token of an earlier
 * prompt, or the last one that `generate()` returned.
 *
 * @param weights - The head's weights by token; null before they have arrived.
 */
export function isRowless(
  weights: Weights | null,
  { queries, written }: Sides,
  query: number
): boolean {
  const token = queries[query];
  if (!token || token.padding) {
    return false;
  }
  const generated = written.query !== null && query >= written.query;
  return token.stale ?? (generated && lacksRow(weights, query));
}

/** Whether all weights of a query are NaN. One is enough to know: others are 0 if masked. */
function lacksRow(weights: Weights | null, query: number): boolean {
  return weights?.known(query, 0) === 'exact' && Number.isNaN(weights.at(query, 0));
}
