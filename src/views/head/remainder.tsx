import { useComputed } from '@preact/signals';
import { useEnv } from '../parts/env';
import { WeightBar } from '../parts/weight-bar';

/** A smaller remainder is a rounding error. */
const ROUNDING = 1e-3;

/** The parts of the query's weights below the keys: on keys that are not drawn, and on no key. */
export function Remainder() {
  return (
    <div class="attnlab-remainders">
      <OtherKeys />
      <Sink />
    </div>
  );
}

/** The total weight on the keys that are not drawn for the query. */
function OtherKeys() {
  const { state, t } = useEnv();
  const { slice: question, focused } = state.heads;
  const asked = question.value;
  const other = asked.kind === 'row' ? (focused.value?.remainder(asked.query) ?? null) : null;
  if (!other) {
    return null;
  }
  return (
    <div
      class="attnlab-remainder"
      data-testid="attnlab-other"
      data-value={other.value}
      data-keys={other.keys}
      title={t('Total weight on the keys that are not drawn for this query.')}
    >
      <span>{other.keys === 1 ? t('1 other key') : t('%1 other keys', other.keys)}</span>
      <WeightBar weight={other.value} exact={other.known === 'exact'} />
    </div>
  );
}

/** The difference between 1 and the sum of the query's weights, for example with a learned sink. */
function Sink() {
  const { state, t } = useEnv();
  const { slice: question, axes: reading } = state.heads;
  const remainder = useComputed(() => {
    const [asked, weights] = [question.value, state.weights.value];
    const { queries, hidden } = reading.value;
    const entry = asked.kind === 'row' ? queries.entries[asked.query] : undefined;
    // Renormalized weights sum to 1.
    if (!entry || !weights || hidden) {
      return 0;
    }
    let remainder = 0;
    for (let query = entry.start; query < entry.end; query++) {
      const { value, known } = weights.sum(query, null);
      remainder += (known === 'exact' ? 1 - value : NaN) / (entry.end - entry.start);
    }
    return remainder;
  }).value;
  if (!(remainder > ROUNDING)) {
    return null;
  }
  return (
    <div
      class="attnlab-remainder"
      data-testid="attnlab-sink"
      data-value={remainder}
      title={t('The weights of this query sum to less than 1; the remainder goes to no key.')}
    >
      {/* Only the softmax has a sink; weights that the model changed can lack any share. */}
      <span>{state.site.value?.terms === 'qk' ? t('learned sink') : t('no key')}</span>
      <WeightBar weight={remainder} exact />
    </div>
  );
}
