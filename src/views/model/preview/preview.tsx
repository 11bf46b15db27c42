import { useComputed, useSignal, useSignalEffect, type Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { formatScore } from '../../../draw/format-number';
import { ThumbnailCanvas } from '../../../draw/thumbnails';
import type { Focus } from '../../../protocol/messages';
import { headKey } from '../../../state/heads/heads';
import type { ModelHead } from '../../../state/heads/ranking';
import { debounced } from '../../../state/debounced';
import { PREVIEW_REQUEST_DELAY, PREVIEW_SHOW_DELAY } from '../../../state/timing';
import { useEnv } from '../../parts/env';
import { scoreNames } from '../../parts/score-names';
import { positionBeside } from './preview-position';

/** Side of the enlarged thumbnail, in pixels. */
const SIDE = 168;

interface PreviewProps {
  /** The head under the pointer or with the keyboard focus. */
  pointed: Signal<Focus | null>;
  heads: readonly ModelHead[];
  grid: RefObject<HTMLElement>;
}

/** Enlarges the thumbnail of the pointed head, and prefetches its weights in case of a click. */
export function Preview({ pointed, heads, grid }: PreviewProps) {
  const { state } = useEnv();
  const shownAfter = useMemo(() => debounced(pointed, PREVIEW_SHOW_DELAY), [pointed]);
  const requestedAfter = useMemo(() => debounced(pointed, PREVIEW_REQUEST_DELAY), [pointed]);
  useSignalEffect(() => {
    const place = requestedAfter.value;
    const shown = state.shown.value;
    const site = place && shown?.trace.sites[place.site];
    if (!shown || !site || place !== pointed.value) {
      return undefined;
    }
    // A subscription requests the weights.
    return state.payloads.want(headKey(shown, site, place.head)).subscribe(() => undefined);
  });
  const shown = useComputed(() => (shownAfter.value === pointed.value ? shownAfter.value : null));
  const place = shown.value;
  useEffect(() => {
    const close = ({ key }: KeyboardEvent): void => {
      if (key === 'Escape') {
        pointed.value = null;
      }
    };
    document.addEventListener('keydown', close, true);
    return () => document.removeEventListener('keydown', close, true);
  }, []);
  const of = place && heads.find(({ site, head }) => site === place.site && head === place.head);
  return of ? <Card key={of.index} of={of} grid={grid} /> : null;
}

function Card({ of, grid }: { of: ModelHead; grid: RefObject<HTMLElement> }) {
  const { state, palette, t } = useEnv();
  const { site, head, layer, index } = of;
  const card = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const where = useSignal<{ left: number; top: number } | null>(null);
  useSignalEffect(() => {
    const load = state.thumbnails.value;
    const { ramp } = palette.value;
    if (canvas.current && load.state === 'ready') {
      const region = state.regions.value?.(site) ?? null;
      const thumbnail = { thumbnail: index, left: 0, top: 0, ramp, region };
      const mode = state.display.thumbnails.value;
      new ThumbnailCanvas().draw(canvas.current, load.payload, [thumbnail], SIDE, mode);
    }
  });
  const { trace, item } = state.shown.value ?? {};
  const load = state.thumbnails.value;
  const summary = trace?.sites[site];
  const scoresKey = trace && ({ kind: 'scores', trace: trace.id, item: item ?? 0 } as const);
  // Only scores that are loaded already: a preview requests none.
  const scores = scoresKey && state.payloads.has(scoresKey) ? state.scores.value : null;
  const numbers = scores?.state === 'ready' ? scores.payload : null;
  useLayoutEffect(() => {
    const thumb = grid.current?.querySelector(`[data-site="${site}"][data-head="${head}"]`);
    const part = card.current?.offsetParent;
    const body = card.current?.closest('.attnlab-body');
    if (card.current && thumb && part && body) {
      const origin = part.getBoundingClientRect();
      const found = positionBeside(
        thumb.getBoundingClientRect(),
        card.current.getBoundingClientRect(),
        body.getBoundingClientRect()
      );
      where.value = found && { left: found.left - origin.left, top: found.top - origin.top };
    }
  }, [numbers]);
  const [, rows = 0, columns = 0] = load.state === 'ready' ? load.payload.shape : [];
  const pooled = summary && (summary.queries > rows || summary.keys > columns);
  return (
    <div
      ref={card}
      class="attnlab-preview"
      data-testid="attnlab-preview"
      data-site={site}
      data-head={head}
      aria-hidden="true"
      style={
        where.value
          ? { left: `${where.value.left}px`, top: `${where.value.top}px` }
          : { visibility: 'hidden' }
      }
    >
      <canvas ref={canvas} style={{ width: `${SIDE}px`, height: `${SIDE}px` }} />
      <strong>{t('layer %1, head %2', layer, head)}</strong>
      {summary && (
        <span class="attnlab-soft" data-testid="attnlab-preview-note">
          {pooled
            ? t('≈ largest weights of %1 × %2 tokens', summary.queries, summary.keys)
            : t('≈ weights of %1 × %2 tokens', summary.queries, summary.keys)}
          {load.state === 'ready' && load.sampled && t(', sampled')}
        </span>
      )}
      {numbers && (
        <dl>
          {scoreNames(t).flatMap(([name, label]) => {
            const column = numbers.labels?.indexOf(name) ?? -1;
            const score = numbers.data[index * (numbers.shape[1] ?? 0) + column];
            return column < 0 || score === undefined
              ? []
              : [<dt key={name}>{label}</dt>, <dd key={`${name} score`}>{formatScore(score)}</dd>];
          })}
        </dl>
      )}
    </div>
  );
}
