import { useComputed, useSignalEffect } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { SiteSummary } from '../protocol/messages';
import { sidesOf } from '../state/tokens';
import { useEnv } from './env';
import { GAP, Layer, leftsOf } from './layer';
import { groupsOf, neighbour, type LayerGroup } from './rows';
import { useView } from './size';

/** Side of a thumbnail, in pixels: as large as the panel is wide, within these bounds. */
const SMALLEST = 16;
const LARGEST = 52;

/** Width of the layers' labels and the padding, in pixels; as in `style/model.css`. */
const LABELS = 20;
const PADDING = 20;

/** All layers × heads. */
export function ModelView() {
  const { state, t } = useEnv();
  const trace = state.trace.value;
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box);
  const width = useComputed(() => view.value.width);
  const groups = useMemo(() => (trace ? groupsOf(trace) : []), [trace]);
  const load = state.thumbnails.value;
  if (!trace) {
    return null;
  }
  const columns = Math.max(1, ...groups.map(group => group.columns));
  const fitting = Math.floor((width.value - LABELS - PADDING + GAP) / columns) - GAP;
  const side = Math.max(SMALLEST, Math.min(LARGEST, fitting));
  const layers = groups.map(({ rows }) => rows.length);

  const onKeyDown = (event: KeyboardEvent): void => {
    const { selection } = state;
    const far = event.ctrlKey || event.metaKey;
    const next = neighbour(groups, selection.focus.value, event.key, far);
    if (next) {
      event.preventDefault();
      selection.look(next);
      box.current
        ?.querySelector<HTMLElement>(`[data-site="${next.site}"][data-head="${next.head}"]`)
        ?.focus();
    }
  };
  const onClick = (event: MouseEvent): void => {
    const cell =
      event.target instanceof Element ? event.target.closest<HTMLElement>('[data-head]') : null;
    if (cell) {
      state.selection.look({ site: Number(cell.dataset.site), head: Number(cell.dataset.head) });
      cell.focus({ preventScroll: true });
    }
  };

  return (
    <>
      <h2 class="attnlab-title">
        {t('Model')}
        <span class="attnlab-subtitle">
          {t('%1 layers × %2 heads', layers.join(' + '), columns)}
        </span>
        {load.state === 'failed' && <span class="attnlab-failed">{load.why}</span>}
      </h2>
      <div
        ref={box}
        class="attnlab-scroller attnlab-model"
        role="grid"
        aria-label={t('Layers and heads')}
        aria-rowcount={layers.reduce((sum, rows) => sum + rows, 0)}
        aria-busy={load.state === 'pending'}
        onKeyDown={onKeyDown}
        onClick={onClick}
      >
        {groups.map(group => (
          <Group key={group.kind} group={group} side={side} labelled={groups.length > 1} />
        ))}
      </div>
    </>
  );
}

interface GroupProps {
  group: LayerGroup;
  side: number;
  labelled: boolean;
}

/** The layers of one kind, with the ticks of what is hovered and selected. */
function Group({ group, side, labelled }: GroupProps) {
  const { state, t } = useEnv();
  const names: Record<SiteSummary['kind'], string> = {
    encoder: t('Encoder'),
    decoder: t('Decoder'),
    cross: t('Cross-attention')
  };
  const ticks = useComputed<Record<string, string>>(() => {
    const trace = state.trace.value;
    const site = group.rows.find(row => row.site)?.site;
    if (!trace || !site) {
      return {};
    }
    const [own, focused] = [sidesOf(trace, site), state.sides.value];
    const query = state.selection.shownQuery.value;
    const key = state.selection.shownKey.value;
    return {
      ...tick('query', own.queries === focused.queries ? query : null, own.queries.length, side),
      ...tick('key', own.keys === focused.keys ? key : null, own.keys.length, side)
    };
  });
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    // Straight to the element: a tick must not draw the rows again.
    for (const name of TICKS) {
      box.current?.style.setProperty(name, ticks.value[name] ?? '');
    }
  });
  const columns = Array.from({ length: group.columns }, (_, head) => head);
  const widest = group.rows.find(row => row.site?.heads === group.columns)?.site;
  return (
    <div class="attnlab-group" role="rowgroup" aria-label={names[group.kind]} ref={box}>
      {labelled && <h3 role="presentation">{names[group.kind]}</h3>}
      <div class="attnlab-columns" role="row">
        {columns.map(head => (
          <span
            key={head}
            role="columnheader"
            aria-colindex={head + 2}
            style={{
              left: `${(widest ? leftsOf(widest, side)[head] : 0) ?? 0}px`,
              width: `${side}px`
            }}
          >
            {head}
          </span>
        ))}
      </div>
      {group.rows.map((row, i) => (
        <Layer key={i} row={row} side={side} />
      ))}
    </div>
  );
}

const TICKS = ['query', 'key'].flatMap(name =>
  ['at', 'size', 'tick'].map(part => `--attnlab-${name}-${part}`)
);

/** Where a token's tick stands on every thumbnail of a group. */
function tick(
  name: 'query' | 'key',
  index: number | null,
  length: number,
  side: number
): Record<string, string> {
  if (index === null || index >= length) {
    return {};
  }
  const size = Math.max(2, side / length);
  const at = Math.min(side - size, (index * side) / length);
  return {
    [`--attnlab-${name}-at`]: `${at.toFixed(2)}px`,
    [`--attnlab-${name}-size`]: `${size.toFixed(2)}px`,
    [`--attnlab-${name}-tick`]: 'var(--attnlab-mark)'
  };
}
