import { useComputed } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { SiteSummary } from '../protocol/messages';
import { useEnv } from './env';
import { Group } from './group';
import { GAP, partsOf } from './layer';
import { groupsOf, neighbour } from './rows';
import { useView } from './size';
import { Working } from './working';

/** Side of a thumbnail, in pixels: as large as the panel is wide, within these bounds. */
const SMALLEST = 16;
const LARGEST = 52;

/** Width of the layers' labels and the padding, in pixels; as in `style/model.css`. */
const LABELS = 20;
const PADDING = 20;

/** Side of a site's thumbnails that fit into this width. */
function fit(site: SiteSummary, width: number): number {
  const gaps = site.heads - 1 + (partsOf(site) - 1);
  return Math.floor((width - gaps * GAP) / site.heads);
}

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
  const room = width.value - LABELS - PADDING;
  const side = Math.max(SMALLEST, Math.min(LARGEST, ...trace.sites.map(site => fit(site, room))));
  const layers = groups.map(({ rows }) => new Set(rows.map(({ layer }) => layer)).size);
  const sampled = load.state === 'ready' && load.sampled;

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
        {sampled ? (
          <Sampled why={load.why} />
        ) : (
          <Working word={t('computing…')} progress={state.progress.thumbnails} />
        )}
        {load.state === 'failed' && <span class="attnlab-failed">{t('has not come')}</span>}
      </h2>
      <div
        ref={box}
        class="attnlab-scroller attnlab-model"
        role="grid"
        aria-label={t('Layers and heads')}
        aria-rowcount={groups.reduce((sum, { rows }) => sum + rows.length, 0)}
        aria-busy={load.state === 'pending' || (sampled && !load.why)}
        onKeyDown={onKeyDown}
        onClick={onClick}
      >
        {groups.map(group => (
          <Group
            key={`${group.kind} ${group.stack}`}
            group={group}
            side={side}
            labelled={groups.length > 1}
          />
        ))}
      </div>
    </>
  );
}

/** Says that the thumbnails are of some queries only, and how far the whole ones are. */
function Sampled({ why }: { why: string | undefined }) {
  const { state, t } = useEnv();
  const now = state.progress.thumbnails.value;
  const share = now && now.total > 0 ? t(' %1 %', Math.floor((100 * now.done) / now.total)) : '';
  return (
    <span
      class="attnlab-working"
      data-testid="attnlab-sampled"
      title={
        why ??
        t(
          'Drawn from some of the queries, so that a pixel may lack its largest weight, until all are.'
        )
      }
    >
      {why === undefined ? t('sampled, refining…') + share : t('sampled')}
    </span>
  );
}
