import { useEnv } from '../../parts/env';
import { ProgressNote } from '../../parts/progress-note';
import type { ModelScores } from '../scores';

/** The progress and errors of the thumbnails and the scores. */
export function ModelStatus({ scores }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  const load = state.thumbnails.value;
  return (
    <>
      {load.state === 'ready' && load.sampled ? (
        <Sampled why={load.why} />
      ) : (
        <ProgressNote word={t('computing…')} progress={state.progress.thumbnails} />
      )}
      {load.state === 'failed' && <span class="attnlab-failed">{t('failed to load')}</span>}
      <Scoring scores={scores} />
    </>
  );
}

/** Shows that the scores are being computed, or why they failed. */
function Scoring({ scores: { load } }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  if (load?.state === 'failed') {
    return (
      <span class="attnlab-failed" data-testid="attnlab-scores-failed" title={load.why}>
        {t('Scores unavailable: %1', load.why)}
      </span>
    );
  }
  if (load?.state !== 'pending') {
    return null;
  }
  return state.progress.scores.value ? (
    <ProgressNote word={t('scoring…')} progress={state.progress.scores} />
  ) : (
    <span class="attnlab-working">{t('scoring…')}</span>
  );
}

/** Shows that the thumbnails are of a sample of the queries, and the progress of the others. */
function Sampled({ why }: { why: string | undefined }) {
  const { state, t } = useEnv();
  const now = state.progress.thumbnails.value;
  const share = now && now.total > 0 ? t(' %1%', Math.floor((100 * now.done) / now.total)) : '';
  return (
    <span
      class="attnlab-working"
      data-testid="attnlab-sampled"
      title={
        why ??
        t(
          'Weights from a sample of the queries; a pixel may not show its largest weight until all queries are computed.'
        )
      }
    >
      {why === undefined ? t('sampled, refining…') + share : t('sampled')}
    </span>
  );
}
