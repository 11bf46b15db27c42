import { formatWeight } from '../../draw/format-number';
import { useEnv } from './env';

/** Returns a function that lists the weights of all drawn heads for a pair; empty for one head. */
export function useWeightsByHead(): (pair: { query: number; key: number }) => string {
  const { state, t } = useEnv();
  return ({ query, key }) => {
    const heads = state.heads.withExactRow.value;
    return heads.length < 2
      ? ''
      : heads
          .filter(({ weights }) => weights.known(query, key) !== 'unknown')
          .map(({ head, weights }) => {
            const sign = weights.known(query, key) === 'exact' ? '' : '≈';
            return t('head %1: %2', head, sign + formatWeight(weights.at(query, key)));
          })
          .join('\n');
  };
}
