import { useEnv } from '../parts/env';
import { useCellName } from './cell-name';
import { TrialButton } from './trial';
import { useStatus } from './status';

/** Whether and why the views are outdated, what failed to load, and the notes of the trace. */
export function Notice() {
  const { state, t } = useEnv();
  const nameOf = useCellName();
  const { kind, message, remedy } = useStatus();
  const problem = state.follower.problem.value;
  const stale = state.follower.stale.value;
  const trace = state.trace.value;
  // A failed run of another cell: the views show an earlier run of their cell.
  const other = trace !== null && problem !== null && problem.cell !== trace.cell;
  const edited = state.follower.edited.value;
  const generating = kind === 'running' && trace?.running === true;
  const notes = state.trace.value?.notes ?? [];
  const failure = state.failure.value;
  const failures = new Set(
    [state.thumbnails.value, state.head.value]
      .map(load => ('why' in load ? load.why : null))
      .concat(failure?.trace === state.trace.value?.id ? (failure?.why ?? null) : null)
      .filter(why => typeof why === 'string')
  );
  return (
    <>
      {((stale && kind !== 'computing') ||
        problem !== null ||
        kind === 'waiting' ||
        generating) && (
        <div class="attnlab-notice" data-kind={stale ? 'stale' : kind} role="note">
          <p>
            <b>{problem ? problem.title : message}</b>
            {stale && (
              <span>
                {' · '}
                {other
                  ? t('The views show an earlier run of %1.', nameOf(trace))
                  : edited
                    ? t('The views show an older version of the text.')
                    : trace?.running
                      ? t('The views show what generate() had computed.')
                      : t('The views show an earlier run.')}
              </span>
            )}
          </p>
          {problem && (
            <p>
              {other && `${nameOf(problem)}: `}
              {problem.cause}
            </p>
          )}
          {edited && !other && kind === 'stale' && <TrialButton plain />}
          {(problem?.remedy ?? remedy) && <p class="attnlab-remedy">{problem?.remedy ?? remedy}</p>}
        </div>
      )}
      {failures.size > 0 && (
        <div class="attnlab-notice" data-kind="failed" data-testid="attnlab-failure" role="note">
          {[...failures].map(why => (
            <p key={why}>{why}</p>
          ))}
        </div>
      )}
      {notes.length > 0 && (
        <ul class="attnlab-notes" aria-label={t('Notes')}>
          {notes.map(note => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </>
  );
}
