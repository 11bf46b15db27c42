import { useSignal } from '@preact/signals';
import { spokenText } from '../parts/token-text';
import { useEnv } from '../parts/env';
import { FoldButton } from '../parts/fold-button';
import { useHelp } from '../parts/help';
import type { Caret } from './caret';
import { NeuronControls } from './controls';
import { NeuronFigure } from './figure';
import { NeuronGrid } from './grid';
import { SelectQueryPrompt, LoadError, WeightsOnlyNote } from './placeholders';
import { NeuronReadout } from './readout';

/** The score terms of the shown query in the focused head, from its vector to its weights. */
export function NeuronView() {
  const { state, t } = useEnv();
  const caret = useSignal<Caret | null>(null);
  const { helpButton, helpText } = useHelp('neuron');
  const site = state.site.value;
  const { breakdown: dissection, sides } = state;
  const query = dissection.query.value;
  const shown = dissection.shown.value;
  const known = site !== null && site.terms !== 'weights';
  const loads = known && query !== null ? [dissection.neuron.value, dissection.vectors.value] : [];
  const failed = loads.find(load => load.state === 'failed');
  const token = sides.value.queries[shown?.query ?? query ?? -1];
  const wanted = state.selection.shownQuery.value;
  const loading = shown && wanted !== shown.query ? sides.value.queries[wanted ?? -1] : undefined;
  if (!site) {
    return null;
  }
  return (
    <>
      <h2 class="attnlab-title">
        <FoldButton part="neuron" name={t('Neuron')} />
        {known && token && (
          <>
            <span class="attnlab-subtitle">{t('query')}</span>
            <bdi class="attnlab-neuron-query-token" data-testid="attnlab-neuron-query">
              {spokenText(token)}
            </bdi>
          </>
        )}
        {loading && (
          <span class="attnlab-working" data-testid="attnlab-neuron-loading">
            {t('loading %1…', `“${spokenText(loading)}”`)}
          </span>
        )}
        {helpButton}
        {shown && <NeuronFigure />}
        <NeuronReadout caret={caret} />
      </h2>
      {helpText}
      {!known ? (
        <WeightsOnlyNote site={site} />
      ) : query === null ? (
        <SelectQueryPrompt />
      ) : failed ? (
        <LoadError why={failed.why} />
      ) : (
        <>
          <NeuronControls dissected={shown} caret={caret} />
          <NeuronGrid dissected={shown} caret={caret} />
        </>
      )}
    </>
  );
}
