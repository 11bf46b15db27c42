import type { StatusKind } from '../../state/kernel/status';
import { STATUS_LABELS } from '../../state/kernel/user-messages';
import { useEnv } from '../parts/env';

/** The translated status of the panel. */
export function useStatus(): { kind: StatusKind; message: string; remedy?: string } {
  const { state, t } = useEnv();
  const { kind, message, values = [], remedy } = state.follower.status.value;
  return { kind, message: t(message, ...values), ...(remedy && { remedy: t(remedy) }) };
}

/** The status as one word, with the full sentence as tooltip. */
export function Status() {
  const { state, t } = useEnv();
  const { kind, message } = useStatus();
  const trace = state.trace.value;
  const milliseconds = state.follower.document.value?.milliseconds.value ?? null;
  return (
    <span
      class="attnlab-status"
      role="status"
      data-testid="attnlab-status"
      data-kind={kind}
      title={message}
    >
      <span class="attnlab-dot" aria-hidden="true" />
      {t(STATUS_LABELS[kind])}
      {kind === 'ready' && trace && (
        <span class="attnlab-soft" title={t('Duration of the model call')}>
          {duration(trace.milliseconds)}
        </span>
      )}
      {kind === 'live' && milliseconds !== null && (
        <span class="attnlab-soft" title={t('Time from the last edit to the updated view')}>
          {duration(milliseconds)}
        </span>
      )}
    </span>
  );
}

function duration(milliseconds: number): string {
  return milliseconds < 9950
    ? `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
