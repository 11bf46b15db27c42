import { useEnv } from './env';
import type { ModelScores } from './model-scores';
import { Working } from './working';

/** What is said of the model view's picture: how far it is, and what has not come. */
export function ModelStatus({ scores }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  const load = state.thumbnails.value;
  return (
    <>
      {load.state === 'ready' && load.sampled ? (
        <Sampled why={load.why} />
      ) : (
        <Working word={t('computing…')} progress={state.progress.thumbnails} />
      )}
      {load.state === 'failed' && <span class="attnlab-failed">{t('has not come')}</span>}
      <Scoring scores={scores} />
    </>
  );
}

/** Says that the scores are on their way, or why they are not here. */
function Scoring({ scores: { load } }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  if (load?.state === 'failed') {
    return (
      <span class="attnlab-failed" data-testid="attnlab-scores-failed" title={load.why}>
        {t('No scores: %1', load.why)}
      </span>
    );
  }
  if (load?.state !== 'pending') {
    return null;
  }
  return state.progress.scores.value ? (
    <Working word={t('scoring…')} progress={state.progress.scores} />
  ) : (
    <span class="attnlab-working">{t('scoring…')}</span>
  );
}

/** Says that the thumbnails are of some queries only, and how far the whole ones are. */
function Sampled({ why }: { why: string | undefined }) {
  const { state, t } = useEnv();
  const now = state.progress.thumbnails.value;
  const share = now && now.total > 0 ? t(' %1 %', Math.floor((100 * now.done) / now.total)) : '';
  return (
    <span
      class="attnlab-working"
      data-testid="attnlab-sampled"
      title={
        why ??
        t(
          'Drawn from some of the queries, so that a pixel may lack its largest weight, until all are.'
        )
      }
    >
      {why === undefined ? t('sampled, refining…') + share : t('sampled')}
    </span>
  );
}
