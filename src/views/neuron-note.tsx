import { batch } from '@preact/signals';
import type { SiteSummary } from '../protocol/messages';
import { heaviestPair } from '../state/heaviest';
import { useEnv } from './env';

/** What there is to do before a query is selected. */
export function Invitation() {
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
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-invitation">
      <p>
        {t(
          'Click a token, in the text or on the left of the head, to see how its weights come about: its vector q, every key’s vector k, and each term of the score.'
        )}
      </p>
      <button
        type="button"
        class="attnlab-neuron-example"
        data-testid="attnlab-neuron-example"
        disabled={!weights || state.head.value.state !== 'ready'}
        title={t('Of two ordinary tokens, where the head has such a weight')}
        onClick={show}
      >
        {t('Show this head’s heaviest weight')}
      </button>
    </div>
  );
}

/** What is not known of a site whose weights alone were seen, and why. */
export function Unknown({ site }: { site: SiteSummary }) {
  const { t } = useEnv();
  return (
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-unknown">
      <p>
        {t('Of this layer only the weights are known, not the queries, the keys and the terms.')}{' '}
        {site.tier === 'output_attentions'
          ? t('The model returned its weights, and nothing that they come from.')
          : t(
              'Its scores are not a product of queries and keys that could be followed through the model’s operations.'
            )}
      </p>
    </div>
  );
}

/** Why a query could not be taken apart. */
export function Refusal({ why }: { why: string }) {
  const { t } = useEnv();
  return (
    <div class="attnlab-neuron-note" data-testid="attnlab-neuron-refusal" role="status">
      <p>
        <span class="attnlab-failed">{t('This query has not come.')}</span> {why}
      </p>
    </div>
  );
}
