import type { Token } from '../../protocol/messages';
import type { Sides } from '../text/tokens';
import type { Weights } from './weights';

/** A query and a key. */
export interface Pair {
  query: number;
  key: number;
}

/**
 * Returns the query and key with the heaviest weight of a head; null if no weight is exact.
 *
 * Pairs of two different ordinary tokens come first, because special tokens receive much weight
 * in most heads.
 */
export function heaviestPair(weights: Weights, { queries, keys }: Sides): Pair | null {
  let best: (Pair & { plain: boolean; weight: number }) | null = null;
  const see = (query: number, key: number, weight: number): void => {
    const plain = query !== key && ordinary(queries[query]) && ordinary(keys[key]);
    const better = !best || (plain === best.plain ? weight > best.weight : plain);
    if (weight > 0 && better && weights.known(query, key) === 'exact') {
      best = { query, key, plain, weight };
    }
  };
  queries.forEach(({ padding }, query) => {
    if (!padding) {
      weights.each(query, 0, keys.length, (key, weight) => see(query, key, weight));
    }
  });
  return best;
}

function ordinary(token: Token | undefined): boolean {
  return token !== undefined && !token.special && !token.padding;
}
