import type { Env } from './env';

/** Head scores as a person reads them: by the kernel's name, the name here and its meaning. */
export function scoreNames(t: Env['t']): [name: string, label: string, meaning: string][] {
  return [
    ['entropy', t('entropy'), t('mean entropy of a query’s weights, in nats')],
    ['confidence', t('confidence'), t('mean of the largest weight of a query')],
    ['self_token', t('self'), t('mean weight of the token itself')],
    ['previous_token', t('previous token'), t('mean weight of the token before')],
    ['first_token', t('first token'), t('mean weight of the first token')],
    ['sink', t('sink'), t('1 where the first token has more than 0.3 of the weight')],
    ['distance', t('distance'), t('mean distance from query to key, in tokens')],
    [
      'distance_variance',
      t('distance variance'),
      t('variance of the distance from query to key, in squared tokens')
    ],
    [
      'induction',
      t('induction'),
      t('mean weight of what followed the same token earlier, where there is such')
    ],
    ['duplicate', t('duplicate'), t('share of the weight that earlier equal tokens have')]
  ];
}

/** The name of one score. */
export function scoreName(t: Env['t'], name: string): string {
  return scoreNames(t).find(([known]) => known === name)?.[1] ?? name;
}
