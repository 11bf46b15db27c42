import type { Signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { scored } from '../draw/score';
import type { Dissected } from '../state/dissection';
import { weightsName, type Step } from '../state/neuron';
import { shown } from './chip';
import { useEnv } from './env';
import type { Caret } from './neuron-caret';
import type { Layout } from './neuron-layout';
import { Bracket, useOnStrips } from './neuron-pair';
import { Score, Weight } from './neuron-row';
import type { Scales } from './neuron-scales';
import { Dimensions, StripCanvas } from './neuron-strips';

interface HeaderProps {
  dissected: Dissected | null;
  steps: readonly Step[];
  neuron: number | null;
  layout: Layout;
  order: readonly number[];
  scale: number;
  caret: Signal<Caret | null>;
}

/** The columns' names, and under them the query, each dimension above the keys' own. */
export function NeuronHeader(props: HeaderProps) {
  const { dissected, steps, neuron, layout, order, scale, caret } = props;
  const { state, t } = useEnv();
  const describe = useSteps();
  const token = state.sides.value.queries[dissected?.query ?? -1];
  const weights = weightsName(state.site.value);
  const q = dissected?.neuron.q;
  const onStrips = useOnStrips(q?.length ?? 0, dissected?.rotated.size ?? 0);
  const blocks = useMemo(
    () =>
      q ? [{ left: layout.k, side: layout.side, numbers: q, width: q.length, order, scale }] : [],
    [q, layout, order, scale]
  );
  const title = (name: string, number: boolean, explained?: string) => (
    <span
      key={name}
      role="columnheader"
      data-number={number || undefined}
      title={explained ?? name}
    >
      {name}
    </span>
  );
  return (
    <div class="attnlab-neuron-head" role="rowgroup" style={{ width: `${layout.total}px` }}>
      <div class="attnlab-neuron-row attnlab-neuron-titles" role="row" aria-rowindex={1}>
        <span class="attnlab-neuron-token" role="columnheader">
          {t('token')}
        </span>
        {title(
          layout.strip < WIDE ? t('q, k') : t('query q, key k'),
          false,
          t('The query’s vector, and under it those of the keys')
        )}
        {title(t('q × k'), false, t('Dimension by dimension: a row sums up to its q·k'))}
        {neuron !== null && (
          <>
            {title(`k[${neuron}]`, true, t('Dimension %1 of the keys', neuron))}
            {title(`q×k[${neuron}]`, true, t('What dimension %1 adds to the score', neuron))}
          </>
        )}
        {steps.map(({ label }) => title(label, true, describe(label)))}
        {title(
          weights,
          false,
          weights === 'softmax'
            ? t('The weights: softmax of the last scores over all keys')
            : t('The weights that multiply the values: the model changes them before it does')
        )}
      </div>
      <div
        class="attnlab-neuron-row attnlab-neuron-query"
        role="row"
        aria-rowindex={2}
        data-testid="attnlab-neuron-q"
      >
        <span class="attnlab-neuron-token" role="rowheader">
          <bdi>{token ? shown(token) : ''}</bdi>
        </span>
        <span role="gridcell" data-strip="q" aria-label={onStrips} />
        <span role="gridcell" />
        {neuron !== null && q && (
          <span role="gridcell" class="attnlab-neuron-number" data-cell="q" data-value={q[neuron]}>
            {t('q %1', scored(q[neuron] ?? NaN))}
          </span>
        )}
        {dissected && (
          <StripCanvas
            left={layout.k}
            width={layout.strip}
            rows={ONE}
            blocks={blocks}
            name="attnlab-neuron-q-strip"
          />
        )}
        <Dimensions
          dissected={dissected}
          caret={caret}
          lefts={[layout.k]}
          side={layout.side}
          order={order}
        />
        <Bracket
          dissected={dissected}
          caret={caret}
          left={layout.k}
          side={layout.side}
          order={order}
        />
      </div>
    </div>
  );
}

const ONE = { start: 0, end: 1 };

/** Width of a strip over which its whole title fits. */
const WIDE = 78;

interface SinkProps {
  dissected: Dissected | null;
  neuron: number | null;
  scales: Scales | null;
  width: number;
}

/** The sink takes part in the softmax like a key, and has no vector. */
export function SinkRow({ dissected, neuron, scales, width }: SinkProps) {
  const { t } = useEnv();
  const { sink, steps } = dissected?.neuron ?? {};
  if (!sink || !steps) {
    return null;
  }
  return (
    <div
      class="attnlab-neuron-row attnlab-neuron-sink"
      role="row"
      data-testid="attnlab-neuron-sink"
      title={t('A score of the head’s own takes part in the softmax: its share goes to no key.')}
      style={{ width: `${width}px` }}
    >
      <span class="attnlab-neuron-token" role="rowheader">
        {t('sink')}
      </span>
      {Array.from({ length: 2 + (neuron === null ? 0 : 2) + steps.length - 1 }, (_, i) => (
        <span key={i} role="gridcell" />
      ))}
      <Score name="sink" score={sink.score} scale={scales?.steps.at(-1)} />
      <Weight weight={sink.weight} />
    </div>
  );
}

/** Returns what a step of the score is, in a sentence. */
function useSteps(): (label: string) => string {
  const { t } = useEnv();
  const sentences: Record<string, string> = {
    'q·k': t('The sum of q × k over all dimensions'),
    scale: t('The score times the model’s factor, e.g. 1/√d'),
    softcap: t('The score kept within a bound by tanh'),
    bias: t('The score and what the model adds for the two tokens’ places'),
    mask: t('The score after the mask that the model was called with'),
    fill: t('The score where it is not replaced by another number'),
    floor: t('The score, no lower than a bound'),
    causal: t('The score of the keys that are not later than the query'),
    window: t('The score of the keys that are near enough'),
    softmax: t('The softmax of the scores over all keys, before the model changes it')
  };
  return label => sentences[label] ?? t('The score after the term “%1”', label);
}
