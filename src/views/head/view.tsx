import { MAX_LINES } from '../../draw/weight-lines';
import { useEnv } from '../parts/env';
import { FoldButton } from '../parts/fold-button';
import { useHeadName } from '../parts/head-name';
import { useHelp } from '../parts/help';
import { ProgressNote } from '../parts/progress-note';
import { Readout } from '../parts/readout';
import { useCaptureMethod, useVerificationBadge } from '../parts/site-verification';
import { DisplayOptions } from './display-options';
import { HeadFigure } from './figure';
import { HeadToggles } from './head-toggles';
import { LinesView } from './lines-view';
import { MatrixView } from './matrix/view';
import { SitePicker } from './site-picker';
import { ViewMode } from './view-mode';

/** The weights of the drawn heads of one site, as lines or as a matrix. */
export function HeadView() {
  const { state, t } = useEnv();
  const { queries, keys } = state.sides.value;
  const site = state.site.value;
  const load = state.head.value;
  const { hidden } = state.heads.axes.value;
  const { badge, reason } = useVerificationBadge(site);
  const captureMethodOf = useCaptureMethod();
  const { helpButton, helpText } = useHelp('head');
  const name = useHeadName();
  if (!site) {
    return null;
  }
  const lines = state.display.head.value === 'lines';
  const count = queries.length * keys.length * state.selection.heads.value.length;
  const partial = state.heads.long.value
    ? t('top-k keys of each query')
    : count > MAX_LINES
      ? t('%1 largest weights', MAX_LINES.toLocaleString())
      : '';
  return (
    <>
      <h2 class="attnlab-title attnlab-head-title">
        <FoldButton part="head" name={t('Head')} />
        <span class="attnlab-subtitle" title={captureMethodOf(site)}>
          <span class="attnlab-hidden">{name}</span>
          <SitePicker site={site} />
        </span>
        <ViewMode />
        {badge}
        {helpButton}
        <HeadFigure />
        {hidden && (
          <span
            class="attnlab-soft attnlab-renormalized"
            data-testid="attnlab-renormalized"
            title={t(
              'Special tokens are hidden; each query’s remaining weights are divided by their sum.'
            )}
          >
            {t('renormalized')}
          </span>
        )}
        <ProgressNote word={t('computing…')} progress={state.progress.head} />
        {load.state === 'failed' ? (
          <span class="attnlab-failed">{t('failed to load')}</span>
        ) : (
          <Readout fallback={lines ? partial : ''} />
        )}
      </h2>
      {reason}
      {helpText}
      <div class="attnlab-head-controls">
        <HeadToggles site={site} />
        <DisplayOptions />
      </div>
      {lines ? <LinesView /> : <MatrixView />}
    </>
  );
}
