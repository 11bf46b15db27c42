import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { fontOf, TextRuler } from '../../../draw/text-ruler';
import type { Axis } from '../../../state/heads/axis';
import { spokenText, tokenText } from '../../parts/token-text';
import { useEnv } from '../../parts/env';
import { useScrollToSelection } from '../../parts/scroll-into-view';
import { MatrixAxis } from './axis';
import { MatrixToolbar, cellText } from './toolbar';
import { MatrixCanvas } from './canvas';
import { MatrixWeights } from './weights';
import { onMatrixKey, currentCell, type MatrixControl } from './keyboard';
import { useMatrixViewport } from './viewport';

/** Maximum size of the labels along a side, in CSS pixels. */
const LABELS = { left: 110, top: 78 };

/** The focused head as a matrix: queries down, keys across, on one canvas at any zoom. */
export function MatrixView() {
  const { state, t } = useEnv();
  const scroller = useRef<HTMLDivElement>(null);
  const weights = useMemo(() => new MatrixWeights(state), [state]);
  const ruler = useRuler(scroller);
  const extent = useComputed(() => {
    const [rows, columns] = [weights.rows.value, weights.columns.value];
    return {
      rows: rows.entries.length,
      columns: columns.entries.length,
      left: Math.min(LABELS.left, widest(rows, ruler.value)),
      top: Math.min(LABELS.top, widest(columns, ruler.value))
    };
  });
  const viewport = useMatrixViewport(scroller, extent);
  const pieces = useMemo(() => weights.pieces(viewport.current), [weights, viewport]);
  const status = useMemo(() => weights.status(viewport.current), [weights, viewport]).value;
  const control: MatrixControl = {
    rows: weights.rows.value,
    columns: weights.columns.value,
    selection: state.selection,
    viewport
  };
  const cell = useComputed(() => {
    const at = currentCell({
      ...control,
      rows: weights.rows.value,
      columns: weights.columns.value
    });
    return at && weights.at(at.row, at.column, pieces.value);
  });
  const { query, key } = state.selection;
  useScrollToSelection(indexOf(weights.rows.value, query.value), row => viewport.reveal(row, null));
  useScrollToSelection(indexOf(weights.columns.value, key.value), column =>
    viewport.reveal(null, column)
  );
  const { left, top } = extent.value;
  const { width, height } = viewport.current.value;
  return (
    <div
      class="attnlab-matrix"
      style={{ '--attnlab-left': `${left}px`, '--attnlab-top': `${top}px` }}
    >
      <MatrixToolbar viewport={viewport} cell={cell} failed={status === 'failed'} />
      <div
        ref={scroller}
        class="attnlab-matrix-scroller"
        data-testid="attnlab-matrix"
        data-exact={status === 'ready'}
        role="grid"
        tabIndex={0}
        aria-label={t(
          'Weights of head %1: queries down, keys across',
          state.selection.focus.value.head
        )}
        aria-busy={status === 'pending'}
        aria-rowcount={extent.value.rows}
        aria-colcount={extent.value.columns}
        aria-activedescendant={`${state.id}-matrix-cell`}
        onKeyDown={event => onMatrixKey(event, control)}
        onBlur={() => (state.selection.hover.value = {})}
      >
        <div
          class="attnlab-matrix-extent"
          style={{ width: `${viewport.width.value}px`, height: `${viewport.height.value}px` }}
        >
          <div
            class="attnlab-matrix-view"
            style={{ width: `${left + width}px`, height: `${top + height}px` }}
          >
            <MatrixAxis side="key" axis={control.columns} viewport={viewport.current} />
            <MatrixAxis side="query" axis={control.rows} viewport={viewport.current} />
            <MatrixCanvas control={control} pieces={pieces} />
            <CurrentCell control={control} label={cell.value ? cellText(cell.value, t) : ''} />
          </div>
        </div>
      </div>
    </div>
  );
}

/** The current cell for screen readers: the DOM cannot contain all of them. */
function CurrentCell({ control, label }: { control: MatrixControl; label: string }) {
  const { state, t } = useEnv();
  const at = currentCell(control);
  const query = at && control.rows.entries[at.row];
  const key = at && control.columns.entries[at.column];
  const { selection } = state;
  return (
    <div role="row" class="attnlab-hidden" aria-rowindex={at ? at.row + 1 : undefined}>
      <div
        id={`${state.id}-matrix-cell`}
        role="gridcell"
        data-testid="attnlab-matrix-cell"
        aria-colindex={at ? at.column + 1 : undefined}
        aria-selected={query?.start === selection.query.value && key?.start === selection.key.value}
        aria-label={
          query && key
            ? t(
                'query %1, key %2, weight %3',
                spokenText(query.token),
                spokenText(key.token),
                label
              )
            : t('No cell selected; use the arrow keys to move')
        }
      />
    </div>
  );
}

/** Measures tokens in the font of an element; null until the element exists. */
function useRuler(element: RefObject<HTMLElement>): ReadonlySignal<TextRuler | null> {
  const ruler = useSignal<TextRuler | null>(null);
  useLayoutEffect(() => {
    if (element.current) {
      ruler.value = new TextRuler(fontOf(element.current));
    }
  }, []);
  return ruler;
}

function widest({ entries }: Axis, ruler: TextRuler | null): number {
  const most = entries.reduce(
    (most, { token }) => Math.max(most, ruler?.width(tokenText(token)) ?? 0),
    24
  );
  return Math.ceil(most) + 10;
}

/** The index of a token along an axis; null if it is not shown. */
function indexOf(axis: Axis, token: number | null): number | null {
  return token === null ? null : (axis.entryOf[token] ?? null);
}
