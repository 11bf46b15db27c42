import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { fontOf, Ruler } from '../draw/ruler';
import type { Axis } from '../state/axis';
import { shown, spoken } from './chip';
import { useEnv } from './env';
import { MatrixAxis } from './matrix-axis';
import { MatrixBar, weightOf } from './matrix-bar';
import { MatrixCanvas } from './matrix-canvas';
import { MatrixCells } from './matrix-cells';
import { onMatrixKey, spotOf, type MatrixControl } from './matrix-keys';
import { useMatrixLens } from './matrix-lens';
import { useReveal } from './reveal';

/** Longest room for the tokens along a side, in CSS pixels. */
const LABELS = { left: 110, top: 78 };

/** The focused head as a matrix: queries down, keys across, one canvas at any zoom. */
export function Matrix() {
  const { state, t } = useEnv();
  const scroller = useRef<HTMLDivElement>(null);
  const cells = useMemo(() => new MatrixCells(state), [state]);
  const ruler = useRuler(scroller);
  const extent = useComputed(() => {
    const [rows, columns] = [cells.rows.value, cells.columns.value];
    return {
      rows: rows.entries.length,
      columns: columns.entries.length,
      left: Math.min(LABELS.left, widest(rows, ruler.value)),
      top: Math.min(LABELS.top, widest(columns, ruler.value))
    };
  });
  const lens = useMatrixLens(scroller, extent);
  const pieces = useMemo(() => cells.pieces(lens.lens), [cells, lens]);
  const status = useMemo(() => cells.status(lens.lens), [cells, lens]).value;
  const control: MatrixControl = {
    rows: cells.rows.value,
    columns: cells.columns.value,
    selection: state.selection,
    lens
  };
  const cell = useComputed(() => {
    const at = spotOf({ ...control, rows: cells.rows.value, columns: cells.columns.value });
    return at && cells.at(at.row, at.column, pieces.value);
  });
  const { query, key } = state.selection;
  useReveal(placeOf(cells.rows.value, query.value), row => lens.reveal(row, null));
  useReveal(placeOf(cells.columns.value, key.value), column => lens.reveal(null, column));
  const { left, top } = extent.value;
  const view = lens.lens.value;
  return (
    <div
      class="attnlab-matrix"
      style={{ '--attnlab-left': `${left}px`, '--attnlab-top': `${top}px` }}
    >
      <MatrixBar lens={lens} cell={cell} failed={status === 'failed'} />
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
          style={{ width: `${lens.width.value}px`, height: `${lens.height.value}px` }}
        >
          <div
            class="attnlab-matrix-view"
            style={{ width: `${left + view.width}px`, height: `${top + view.height}px` }}
          >
            <MatrixAxis side="key" axis={control.columns} lens={lens.lens} />
            <MatrixAxis side="query" axis={control.rows} lens={lens.lens} />
            <MatrixCanvas control={control} pieces={pieces} />
            <LiveCell control={control} label={cell.value ? weightOf(cell.value, t) : ''} />
          </div>
        </div>
      </div>
    </div>
  );
}

/** The one cell that a screen reader is told of: the grid has too many to be in the page. */
function LiveCell({ control, label }: { control: MatrixControl; label: string }) {
  const { state, t } = useEnv();
  const at = spotOf(control);
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
            ? t('query %1, key %2, weight %3', spoken(query.token), spoken(key.token), label)
            : t('No cell; arrow keys move')
        }
      />
    </div>
  );
}

/** Measures tokens in the font of the labels, once there is an element to read it from. */
function useRuler(element: RefObject<HTMLElement>): ReadonlySignal<Ruler | null> {
  const ruler = useSignal<Ruler | null>(null);
  useLayoutEffect(() => {
    if (element.current) {
      ruler.value = new Ruler(fontOf(element.current));
    }
  }, []);
  return ruler;
}

function widest({ entries }: Axis, ruler: Ruler | null): number {
  const most = entries.reduce(
    (most, { token }) => Math.max(most, ruler?.width(shown(token)) ?? 0),
    24
  );
  return Math.ceil(most) + 10;
}

/** Where a token is along an axis; null where it is not shown. */
function placeOf(axis: Axis, token: number | null): number | null {
  return token === null ? null : (axis.of[token] ?? null);
}
