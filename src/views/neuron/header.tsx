import type { Signal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { formatScore } from '../../draw/format-number';
import type { Breakdown } from '../../state/heads/query-breakdown';
import { weightsName, type Step } from '../../state/heads/neuron';
import { useEnv } from '../parts/env';
import { tokenText } from '../parts/token-text';
import type { Caret } from './caret';
import type { Layout } from './layout';
import { RotaryBracket, useStripLabel } from './rotary-pair';
import { useScoreTerms } from './score-terms';
import { DimensionMarks, StripCanvas } from './vector-strips';

interface NeuronHeaderProps {
  dissected: Breakdown | null;
  steps: readonly Step[];
  dimension: number | null;
  layout: Layout;
  order: readonly number[];
  scale: number;
  caret: Signal<Caret | null>;
}

/** The column headers, and below them the row of the query. */
export function NeuronHeader(props: NeuronHeaderProps) {
  return (
    <div class="attnlab-neuron-head" role="rowgroup" style={{ width: `${props.layout.total}px` }}>
      <ColumnHeaders {...props} />
      <QueryRow {...props} />
    </div>
  );
}

/** Minimum width in pixels of a strip under the long form of its title. */
const WIDE = 78;

function ColumnHeaders({ steps, dimension, layout }: NeuronHeaderProps) {
  const { state, t } = useEnv();
  const describe = useScoreTerms();
  const weights = weightsName(state.site.value);
  const title = (name: string, number: boolean, explanation: string) => (
    <span key={name} role="columnheader" data-number={number || undefined} title={explanation}>
      {name}
    </span>
  );
  return (
    <div class="attnlab-neuron-row attnlab-neuron-titles" role="row" aria-rowindex={1}>
      <span class="attnlab-neuron-token" role="columnheader">
        {t('token')}
      </span>
      {title(
        layout.strip < WIDE ? t('q, k') : t('query q, key k'),
        false,
        t('The query vector, with the key vectors below')
      )}
      {title(t('q × k'), false, t('Product of each dimension; a row sums to its q·k'))}
      {dimension !== null && (
        <>
          {title(`k[${dimension}]`, true, t('Dimension %1 of the keys', dimension))}
          {title(
            `q×k[${dimension}]`,
            true,
            t('Contribution of dimension %1 to the score', dimension)
          )}
        </>
      )}
      {steps.map(({ label }) => title(label, true, describe(label)))}
      {title(
        weights,
        false,
        weights === 'softmax'
          ? t('The weights: softmax of the final scores over all keys')
          : t('The weights that multiply the values, after the model’s changes to the softmax')
      )}
    </div>
  );
}

const ONE_ROW = { start: 0, end: 1 };

function QueryRow({ dissected, dimension, layout, order, scale, caret }: NeuronHeaderProps) {
  const { state, t } = useEnv();
  const token = state.sides.value.queries[dissected?.query ?? -1];
  const q = dissected?.neuron.q;
  const stripLabel = useStripLabel(q?.length ?? 0, dissected?.rotated.size ?? 0);
  const blocks = useMemo(
    () =>
      q ? [{ left: layout.k, side: layout.side, numbers: q, width: q.length, order, scale }] : [],
    [q, layout, order, scale]
  );
  const marks = { dissected, caret, side: layout.side, order };
  return (
    <div
      class="attnlab-neuron-row attnlab-neuron-query"
      role="row"
      aria-rowindex={2}
      data-testid="attnlab-neuron-q"
    >
      <span class="attnlab-neuron-token" role="rowheader">
        <bdi>{token ? tokenText(token) : ''}</bdi>
      </span>
      <span role="gridcell" data-strip="q" aria-label={stripLabel} />
      <span role="gridcell" />
      {dimension !== null && q && (
        <span role="gridcell" class="attnlab-neuron-number" data-cell="q" data-value={q[dimension]}>
          {t('q %1', formatScore(q[dimension] ?? NaN))}
        </span>
      )}
      {dissected && (
        <StripCanvas
          left={layout.k}
          width={layout.strip}
          rows={ONE_ROW}
          blocks={blocks}
          name="attnlab-neuron-q-strip"
        />
      )}
      <DimensionMarks lefts={[layout.k]} {...marks} />
      <RotaryBracket left={layout.k} {...marks} />
    </div>
  );
}
