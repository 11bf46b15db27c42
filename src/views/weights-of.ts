import { printed } from '../draw/number';
import { useEnv } from './env';

/** Returns what each of several heads gives a pair of rows, a line each; empty for one head. */
export function useWeightsOf(): (pair: { query: number; key: number }) => string {
  const { state, t } = useEnv();
  return ({ query, key }) => {
    const heads = state.heads.asked.value;
    return heads.length < 2
      ? ''
      : heads
          .filter(({ weights }) => weights.known(query, key) !== 'unknown')
          .map(({ head, weights }) => {
            const sign = weights.known(query, key) === 'exact' ? '' : '≈';
            return t('head %1: %2', head, sign + printed(weights.at(query, key)));
          })
          .join('\n');
  };
}
