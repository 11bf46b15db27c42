import { useComputed } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { MOST } from '../draw/curves';
import { fontOf, Ruler } from '../draw/ruler';
import { stretch } from '../draw/window';
import type { Token } from '../protocol/messages';
import { restOf } from '../state/weights';
import { Bar } from './bar';
import { shown } from './chip';
import { Curves } from './curves';
import { useEnv } from './env';
import { HeadList } from './list';
import { Readout } from './readout';
import { ROW } from './row';
import { useView } from './size';
import { useBadge, useReading } from './trust';
import { Working } from './working';

/** A weight that is missing by less than this is rounding. */
const ROUNDING = 1e-3;

/** One head: queries left, keys right, a curve for each weight between them. */
export function HeadView() {
  const { state, t } = useEnv();
  const { queries, keys } = state.sides.value;
  const site = state.site.value;
  const load = state.head.value;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useView(scroller);
  const total = Math.max(queries.length, keys.length);
  const window = useComputed(() => {
    const { queries, keys } = state.sides.value;
    const { top, height } = view.value;
    return stretch(Math.max(queries.length, keys.length), top, height, ROW);
  });
  const { start, end } = window.value;
  const width = useComputed(() => view.value.width).value;
  const left = useColumn(queries, scroller, width, 60);
  const right = useColumn(keys, scroller, width, 16);
  const { badge, reason } = useBadge(site);
  const readingOf = useReading();
  if (!site) {
    return null;
  }
  return (
    <>
      <h2 class="attnlab-title">
        {t('Head')}
        <span class="attnlab-subtitle" title={readingOf(site)}>
          {t('layer %1 · head %2', site.layer, state.selection.focus.value.head)}
        </span>
        {badge}
        <Working word={t('computing…')} progress={state.progress.head} />
        {load.state === 'failed' ? (
          <span class="attnlab-failed">{t('has not come')}</span>
        ) : queries.length * keys.length > MOST ? (
          <Readout fallback={t('heaviest %1 curves', MOST.toLocaleString())} />
        ) : (
          <Readout fallback="" />
        )}
      </h2>
      {reason}
      <div
        ref={scroller}
        class="attnlab-scroller attnlab-head"
        role="group"
        aria-label={t('Head')}
        aria-busy={load.state === 'pending'}
        data-exact={state.weights.value?.exact ?? false}
        style={{ '--attnlab-left': `${left}px`, '--attnlab-right': `${right}px` }}
      >
        <div class="attnlab-head-body" style={{ height: `${total * ROW}px` }}>
          <HeadList side="query" tokens={queries} window={{ start, end }} scroller={scroller} />
          <Curves window={window} />
          <HeadList side="key" tokens={keys} window={{ start, end }} scroller={scroller} />
        </div>
        <Rest />
      </div>
    </>
  );
}

/** What the row lacks to one, where it lacks any: the share that no key gets. */
function Rest() {
  const { state, t } = useEnv();
  const question = state.question.value;
  const weights = state.weights.value;
  const row = question.kind === 'row' && weights?.exact ? question.query : null;
  const rest = useMemo(() => (row === null || !weights ? 0 : restOf(weights, row)), [weights, row]);
  if (!(rest > ROUNDING)) {
    return null;
  }
  return (
    <div
      class="attnlab-rest"
      data-testid="attnlab-sink"
      data-value={rest}
      title={t('The weights of this query sum to less than one; the rest goes to no key.')}
    >
      <span>{t('sink')}</span>
      <Bar weight={rest} exact />
    </div>
  );
}

/** Width for a column of tokens: as wide as the widest, up to a share of the panel. */
function useColumn(
  tokens: readonly Token[],
  box: { current: HTMLElement | null },
  width: number,
  room: number
): number {
  const [ruler, setRuler] = useState<Ruler | null>(null);
  useLayoutEffect(() => {
    const body = box.current?.firstElementChild;
    if (body) {
      setRuler(new Ruler(fontOf(body)));
    }
  }, []);
  const widest = useMemo(
    () =>
      ruler ? tokens.reduce((most, token) => Math.max(most, ruler.width(shown(token))), 24) : 48,
    [tokens, ruler]
  );
  return Math.ceil(Math.min(widest + room, Math.max(64, width * 0.3)));
}
