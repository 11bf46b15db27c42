import { MOST } from '../draw/curves';
import { useEnv } from './env';
import { HeadFigure } from './figure';
import { Fold } from './fold';
import { HeadBoxes } from './head-boxes';
import { HeadFilters } from './head-filters';
import { HeadPickers } from './head-pickers';
import { useHelp } from './help';
import { HeadLook } from './head-look';
import { Lines } from './lines';
import { Matrix } from './matrix';
import { Readout } from './readout';
import { useBadge, useReading } from './trust';
import { Working } from './working';

/** Heads of one site: which, how well they are known, and their weights as lines or a matrix. */
export function HeadView() {
  const { state, t } = useEnv();
  const { queries, keys } = state.sides.value;
  const site = state.site.value;
  const load = state.head.value;
  const { hidden } = state.heads.reading.value;
  const { badge, reason } = useBadge(site);
  const readingOf = useReading();
  const { help, helped } = useHelp('head');
  if (!site) {
    return null;
  }
  const lines = state.display.head.value === 'lines';
  const count = queries.length * keys.length * state.selection.heads.value.length;
  const partial = state.heads.long.value
    ? t('heaviest keys of each query')
    : count > MOST
      ? t('heaviest %1 curves', MOST.toLocaleString())
      : '';
  return (
    <>
      <h2 class="attnlab-title attnlab-head-title">
        <Fold part="head" name={t('Head')} />
        <span class="attnlab-subtitle" title={readingOf(site)}>
          <span class="attnlab-hidden">
            {t('layer %1 · head %2', site.layer, state.selection.focus.value.head)}
          </span>
          <HeadPickers site={site} />
        </span>
        <HeadLook />
        {badge}
        {help}
        <HeadFigure />
        {hidden && (
          <span
            class="attnlab-soft attnlab-renormalised"
            data-testid="attnlab-renormalised"
            title={t(
              'Special tokens are hidden; each query’s other weights are divided by their sum.'
            )}
          >
            {t('renormalised')}
          </span>
        )}
        <Working word={t('computing…')} progress={state.progress.head} />
        {load.state === 'failed' ? (
          <span class="attnlab-failed">{t('has not come')}</span>
        ) : (
          <Readout fallback={lines ? partial : ''} />
        )}
      </h2>
      {reason}
      {helped}
      <div class="attnlab-head-controls">
        <HeadBoxes site={site} />
        <HeadFilters />
      </div>
      {lines ? <Lines /> : <Matrix />}
    </>
  );
}
