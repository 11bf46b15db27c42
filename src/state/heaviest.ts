import type { Token } from '../protocol/messages';
import type { Sides } from './tokens';
import type { Weights } from './weights';

/** A query and a key. */
export interface Pair {
  query: number;
  key: number;
}

/**
 * The pair of tokens with the head's heaviest weight: of ordinary tokens where there are two
 * of them, since special ones draw weight in most heads. Null where no weight is known exactly.
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
