import type { Env } from './env';

/** Head scores as a person reads them: by the kernel's name, the name here and its meaning. */
export function scoreNames(t: Env['t']): [name: string, label: string, meaning: string][] {
  return [
    ['entropy', t('entropy'), t('mean entropy of each query’s weights, in nats')],
    ['confidence', t('confidence'), t('mean of each query’s largest weight')],
    ['self_token', t('self'), t('mean weight of each query on its own position')],
    ['previous_token', t('previous token'), t('mean weight on the previous token')],
    ['first_token', t('first token'), t('mean weight on the first token')],
    ['sink', t('attention sink'), t('1 if the mean weight on the first token exceeds 0.3, else 0')],
    ['distance', t('distance'), t('mean distance from query to key, in tokens')],
    [
      'distance_variance',
      t('distance variance'),
      t('variance of the distance from query to key, in squared tokens')
    ],
    [
      'induction',
      t('induction'),
      t('mean weight on the token after an earlier occurrence of the same token')
    ],
    [
      'duplicate',
      t('duplicate'),
      t('share of all weight that is on earlier occurrences of the same token')
    ]
  ];
}

/** The name of one score. */
export function scoreName(t: Env['t'], name: string): string {
  return scoreNames(t).find(([known]) => known === name)?.[1] ?? name;
}
