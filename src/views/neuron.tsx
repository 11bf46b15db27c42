import { useSignal } from '@preact/signals';
import { spoken } from './chip';
import { useEnv } from './env';
import { NeuronFigure } from './figure';
import { Fold } from './fold';
import { useHelp } from './help';
import type { Caret } from './neuron-caret';
import { NeuronControls } from './neuron-controls';
import { NeuronGrid } from './neuron-grid';
import { Invitation, Refusal, Unknown } from './neuron-note';
import { NeuronReadout } from './neuron-readout';

/** The shown query of the focused head, taken apart: from its vector to its weights. */
export function NeuronView() {
  const { state, t } = useEnv();
  const caret = useSignal<Caret | null>(null);
  const { help, helped } = useHelp('neuron');
  const site = state.site.value;
  const { dissection, sides } = state;
  const query = dissection.query.value;
  const shown = dissection.shown.value;
  const known = site !== null && site.terms !== 'weights';
  const loads = known && query !== null ? [dissection.neuron.value, dissection.vectors.value] : [];
  const failed = loads.find(load => load.state === 'failed');
  const token = sides.value.queries[shown?.query ?? query ?? -1];
  const wanted = state.selection.shownQuery.value;
  const coming = shown && wanted !== shown.query ? sides.value.queries[wanted ?? -1] : undefined;
  if (!site) {
    return null;
  }
  return (
    <>
      <h2 class="attnlab-title">
        <Fold part="neuron" name={t('Neuron')} />
        {known && token && (
          <>
            <span class="attnlab-subtitle">{t('query')}</span>
            <bdi class="attnlab-neuron-of" data-testid="attnlab-neuron-query">
              {spoken(token)}
            </bdi>
          </>
        )}
        {coming && (
          <span class="attnlab-working" data-testid="attnlab-neuron-coming">
            {t('until %1 has come', `“${spoken(coming)}”`)}
          </span>
        )}
        {help}
        {shown && <NeuronFigure />}
        <NeuronReadout caret={caret} />
      </h2>
      {helped}
      {!known ? (
        <Unknown site={site} />
      ) : query === null ? (
        <Invitation />
      ) : failed ? (
        <Refusal why={failed.why} />
      ) : (
        <>
          <NeuronControls dissected={shown} caret={caret} />
          <NeuronGrid dissected={shown} caret={caret} />
        </>
      )}
    </>
  );
}
