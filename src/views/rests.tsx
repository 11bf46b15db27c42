import { useComputed } from '@preact/signals';
import { useEnv } from './env';
import { Bar } from './bar';

/** A weight that is missing by less than this is rounding. */
const ROUNDING = 1e-3;

/** Under the keys: what of the query's weights is not drawn, and what no key gets. */
export function Rests() {
  return (
    <div class="attnlab-rests">
      <Other />
      <Sink />
    </div>
  );
}

/** The keys that are not drawn for the query, together. */
function Other() {
  const { state, t } = useEnv();
  const { question, focused } = state.heads;
  const asked = question.value;
  const other = asked.kind === 'row' ? (focused.value?.other(asked.query) ?? null) : null;
  if (!other) {
    return null;
  }
  return (
    <div
      class="attnlab-rest"
      data-testid="attnlab-other"
      data-value={other.value}
      data-keys={other.keys}
      title={t('What this query gives to the keys that are not drawn for it.')}
    >
      <span>{other.keys === 1 ? t('1 other key') : t('%1 other keys', other.keys)}</span>
      <Bar weight={other.value} exact={other.known === 'exact'} />
    </div>
  );
}

/** What the weights of a query lack to one, where they lack any, as where a sink is learned. */
function Sink() {
  const { state, t } = useEnv();
  const { question, reading } = state.heads;
  const rest = useComputed(() => {
    const [asked, weights] = [question.value, state.weights.value];
    const { queries, hidden } = reading.value;
    const entry = asked.kind === 'row' ? queries.entries[asked.query] : undefined;
    // Of renormalised weights, nothing is left.
    if (!entry || !weights || hidden) {
      return 0;
    }
    let rest = 0;
    for (let query = entry.start; query < entry.end; query++) {
      const { value, known } = weights.sum(query, null);
      rest += (known === 'exact' ? 1 - value : NaN) / (entry.end - entry.start);
    }
    return rest;
  }).value;
  if (!(rest > ROUNDING)) {
    return null;
  }
  return (
    <div
      class="attnlab-rest"
      data-testid="attnlab-sink"
      data-value={rest}
      title={t('The weights of this query sum to less than one; the rest goes to no key.')}
    >
      {/* A sink is part of a softmax; of changed weights anything may be missing. */}
      <span>{state.site.value?.terms === 'qk' ? t('sink') : t('no key')}</span>
      <Bar weight={rest} exact />
    </div>
  );
}
