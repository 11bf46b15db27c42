import { batch } from '@preact/signals';
import type { SiteSummary } from '../../protocol/messages';
import { heaviestPair } from '../../state/heads/heaviest-pair';
import { useEnv } from '../parts/env';

/** Shown before a query is selected: how to select one. */
export function SelectQueryPrompt() {
  const { state, t } = useEnv();
  const { selection, sides } = state;
  const weights = state.weights.value;
  const show = (): void => {
    const pair = weights && heaviestPair(weights, sides.peek());
    if (pair) {
      batch(() => {
        selection.query.value = pair.query;
        selection.key.value = pair.key;
      });
    }
  };
  return (
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-prompt">
      <p>
        {t(
          'Click a token in the text or in the left column of the head to see how its weights are computed: its vector q, each key’s vector k, and each term of the score.'
        )}
      </p>
      <button
        type="button"
        class="attnlab-neuron-example"
        data-testid="attnlab-neuron-example"
        disabled={!weights || state.head.value.state !== 'ready'}
        title={t('Prefers pairs without special tokens')}
        onClick={show}
      >
        {t('Show this head’s largest weight')}
      </button>
    </div>
  );
}

/** Shown for a site whose queries and keys were not captured: the reason. */
export function WeightsOnlyNote({ site }: { site: SiteSummary }) {
  const { t } = useEnv();
  return (
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-unknown">
      <p>
        {t('Only the weights of this layer are known, not its queries, keys and score terms.')}{' '}
        {site.method === 'returned'
          ? t('The model returned its weights without the queries and keys behind them.')
          : t('Its scores could not be traced back to a product of queries and keys.')}
      </p>
    </div>
  );
}

/** Shown when the query failed to load. */
export function LoadError({ why }: { why: string }) {
  const { t } = useEnv();
  return (
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-refusal" role="status">
      <p>
        <span class="attnlab-failed">{t('This query failed to load.')}</span> {why}
      </p>
    </div>
  );
}
