import { useComputed, type ReadonlySignal } from '@preact/signals';
import { scored } from '../draw/score';
import type { Focus } from '../protocol/messages';
import { barOf, type ModelHead } from '../state/ordering';
import { useEnv } from './env';
import type { Column } from './model-scores';
import { scoreName } from './score-names';

/** What all thumbnails of the model view have in common. */
export interface Look {
  side: number;
  sort: Column | null;
  bars: Column | null;
  /** The one head that the Tab key leads to. */
  stop: ReadonlySignal<Focus | null>;
}

interface ThumbsProps {
  heads: readonly ModelHead[];
  lefts: readonly number[];
  look: Look;
  /** Column of the first head in the grid. */
  column: number;
  /** What stands under each. */
  labels?: readonly string[];
}

/** Heads side by side: a cell for each, over the picture of all of them. */
export function Thumbs({ heads, lefts, look, column, labels }: ThumbsProps) {
  const { side, bars } = look;
  const width = (lefts.at(-1) ?? 0) + side;
  return (
    <div class="attnlab-heads" role="presentation" style={{ width: `${width}px` }}>
      {heads.map((head, i) => (
        <Cell
          key={`${head.site} ${head.head}`}
          of={head}
          left={lefts[i] ?? 0}
          look={look}
          column={column + (labels ? i : head.head)}
          label={labels?.[i]}
        />
      ))}
      {bars &&
        !bars.old &&
        heads.map(({ index }, i) => (
          <span
            key={`bar ${index}`}
            class="attnlab-thumb-bar"
            data-testid="attnlab-thumb-bar"
            aria-hidden="true"
            style={{ left: `${lefts[i]}px`, top: `${side + 1}px`, width: `${side}px` }}
          >
            <span style={{ width: `${100 * barOf(bars.scores[index] ?? NaN, bars.scores)}%` }} />
          </span>
        ))}
    </div>
  );
}

interface CellProps {
  of: ModelHead;
  left: number;
  look: Look;
  column: number;
  label: string | undefined;
}

/** What a person points at and a screen reader reads: one head. */
function Cell({ of, left, look, column, label }: CellProps) {
  const { state, t } = useEnv();
  const { focus, heads } = state.selection;
  const { site, head, layer, index } = of;
  const { side, sort, bars, stop } = look;
  const chosen = useComputed(() => focus.value.site === site && focus.value.head === head);
  const together = useComputed(() => focus.value.site === site && heads.value.includes(head));
  const selected = useComputed(() => (together.value ? 'true' : 'false'));
  const mark = useComputed(() => (chosen.value ? 'focus' : together.value ? 'set' : undefined));
  const other = useComputed(() => {
    const [own, focused] = [state.trace.value?.sites[site], state.site.value];
    const sides = [
      own?.rows === focused?.rows ? [] : 'query',
      own?.columns === focused?.columns ? [] : 'key'
    ];
    return sides.flat().join(' ') || undefined;
  });
  const tab = useComputed(() => (stop.value?.site === site && stop.value.head === head ? 0 : -1));
  const told = [...new Map([sort, bars].flatMap(c => (c ? [[c.name, c] as const] : []))).values()];
  const scores = told.map(({ name, scores, old }) =>
    t(', %1 %2', scoreName(t, name), old ? '…' : scored(scores[index] ?? NaN))
  );
  return (
    <>
      <div
        class="attnlab-thumb"
        role="gridcell"
        aria-label={t('layer %1 head %2', layer, head) + scores.join('')}
        aria-selected={selected}
        aria-colindex={column}
        tabIndex={tab}
        data-mark={mark}
        data-other={other}
        data-testid="attnlab-thumb"
        data-site={site}
        data-head={head}
        style={{ left: `${left}px`, width: `${side}px`, height: `${side}px` }}
      />
      {label !== undefined && (
        <span
          class="attnlab-thumb-label"
          data-testid="attnlab-thumb-label"
          aria-hidden="true"
          style={{ left: `${left}px`, minWidth: `${side}px` }}
        >
          <b>{label}</b>
          {sort && <span>{sort.old ? '…' : scored(sort.scores[index] ?? NaN)}</span>}
        </span>
      )}
    </>
  );
}
