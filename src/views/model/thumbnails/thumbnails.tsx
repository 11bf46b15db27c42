import { useComputed, type ReadonlySignal } from '@preact/signals';
import { formatScore } from '../../../draw/format-number';
import type { Focus } from '../../../protocol/messages';
import { barLength, type ModelHead } from '../../../state/heads/ranking';
import { useEnv } from '../../parts/env';
import { scoreName } from '../../parts/score-names';
import type { ScoreColumn } from '../scores';

/** The properties that all thumbnails of the model view share. */
export interface ThumbnailAppearance {
  side: number;
  sort: ScoreColumn | null;
  bars: ScoreColumn | null;
  /** The one head in the tab order. */
  tabStop: ReadonlySignal<Focus | null>;
}

interface ThumbnailsProps {
  heads: readonly ModelHead[];
  lefts: readonly number[];
  appearance: ThumbnailAppearance;
  /** Column of the first head in the grid. */
  column: number;
  /** The label under each thumbnail. */
  labels?: readonly string[];
}

/** Heads side by side: one transparent cell each, above the canvas with all thumbnails. */
export function Thumbnails({ heads, lefts, appearance, column, labels }: ThumbnailsProps) {
  const { side, bars } = appearance;
  const width = (lefts.at(-1) ?? 0) + side;
  return (
    <div class="attnlab-heads" role="presentation" style={{ width: `${width}px` }}>
      {heads.map((head, i) => (
        <Cell
          key={`${head.site} ${head.head}`}
          of={head}
          left={lefts[i] ?? 0}
          appearance={appearance}
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
            <span
              style={{ width: `${100 * barLength(bars.scores[index] ?? NaN, bars.scores)}%` }}
            />
          </span>
        ))}
    </div>
  );
}

interface CellProps {
  of: ModelHead;
  left: number;
  appearance: ThumbnailAppearance;
  column: number;
  label: string | undefined;
}

/** The cell of one head, for pointer, keyboard and screen readers. */
function Cell({ of, left, appearance, column, label }: CellProps) {
  const { state, t } = useEnv();
  const { focus, heads: drawnHeads } = state.selection;
  const { site, head, layer, index } = of;
  const { side, sort, bars, tabStop } = appearance;
  const focused = useComputed(() => focus.value.site === site && focus.value.head === head);
  const drawn = useComputed(() => focus.value.site === site && drawnHeads.value.includes(head));
  const selected = useComputed(() => (drawn.value ? 'true' : 'false'));
  const mark = useComputed(() => (focused.value ? 'focus' : drawn.value ? 'set' : undefined));
  // Sides whose tokens are not those of the focused head get no ticks.
  const otherTokens = useComputed(() => {
    const [here, there] = [state.trace.value?.sites[site], state.site.value];
    const sides = [
      here?.rows === there?.rows ? [] : 'query',
      here?.columns === there?.columns ? [] : 'key'
    ];
    return sides.flat().join(' ') || undefined;
  });
  const tabIndex = useComputed(() =>
    tabStop.value?.site === site && tabStop.value.head === head ? 0 : -1
  );
  const columns = [sort, bars].filter(column => column !== null);
  const named = new Map(columns.map(column => [column.name, column]));
  const scores = [...named.values()].map(({ name, scores, old }) =>
    t(', %1 %2', scoreName(t, name), old ? '…' : formatScore(scores[index] ?? NaN))
  );
  return (
    <>
      <div
        class="attnlab-thumb"
        role="gridcell"
        aria-label={t('layer %1, head %2', layer, head) + scores.join('')}
        aria-selected={selected}
        aria-colindex={column}
        tabIndex={tabIndex}
        data-mark={mark}
        data-other={otherTokens}
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
          {sort && <span>{sort.old ? '…' : formatScore(sort.scores[index] ?? NaN)}</span>}
        </span>
      )}
    </>
  );
}
