import { useEnv } from '../parts/env';
import { abbreviated } from './cell-name';

/** Selects one of the model calls in a run of the cell, if there are several. */
export function CallPicker() {
  const { state, t } = useEnv();
  const calls = state.follower.calls.value;
  if (calls.length < 2) {
    return null;
  }
  return (
    <select
      class="attnlab-picker"
      data-testid="attnlab-picker"
      aria-label={t('Model call')}
      value={state.trace.value?.id ?? ''}
      onChange={event => state.follower.pick(event.currentTarget.value)}
    >
      {calls.map((call, i) => (
        <option key={call.id} value={call.id}>
          {t('call %1 of %2', i + 1, calls.length)}
          {call.sequences[0]?.text ? ` · ${abbreviated(call.sequences[0].text, 32)}` : ''}
        </option>
      ))}
    </select>
  );
}
