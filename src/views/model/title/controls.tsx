import { MIN_ZOOM, MAX_ZOOM } from '../../../state/view-state/display';
import { BY_LAYER } from '../../../state/view-state/head-filter';
import { useEnv } from '../../parts/env';
import { scoreNames } from '../../parts/score-names';
import { HeadFilter } from './head-filter';
import type { ModelScores } from '../scores';

/** Steps of the zoom buttons; the wheel zooms continuously. */
const ZOOMS = [MIN_ZOOM, 0.75, 1, 1.5, 2, 3, MAX_ZOOM];

/** The controls for drawing, sorting and filtering thumbnails. */
export function ModelControls({ scores: { order, load } }: { scores: ModelScores }) {
  const { state, t } = useEnv();
  const { display } = state;
  const known = load?.state === 'ready' ? load.payload.labels : undefined;
  const names = scoreNames(t).filter(([name]) => known?.includes(name) ?? true);
  const options = names.map(([name, label, meaning]) => (
    <option key={name} value={name} title={meaning}>
      {label}
    </option>
  ));
  const lines = display.thumbnails.value === 'lines';
  const zoom = display.zoom.value;
  const direction = order.ascending ? t('Smallest first') : t('Largest first');
  const zoomButton = (name: string, sign: string, to: number | undefined) => (
    <button
      type="button"
      class="attnlab-model-button"
      aria-label={name}
      title={t('%1 (Ctrl+wheel)', name)}
      disabled={to === undefined}
      onClick={() => (display.zoom.value = to ?? zoom)}
    >
      {sign}
    </button>
  );
  return (
    <div class="attnlab-model-controls" role="group" aria-label={t('Thumbnails')}>
      <button
        type="button"
        class="attnlab-model-button"
        data-testid="attnlab-model-lines"
        aria-pressed={lines}
        title={t('Draw thumbnails as lines from queries (left) to keys (right)')}
        onClick={() => (display.thumbnails.value = lines ? 'matrix' : 'lines')}
      >
        {t('Lines')}
      </button>
      <label>
        <span>{t('Sort')}</span>
        <select
          value={order.score ?? 'layer'}
          aria-label={t('Sort heads by')}
          data-testid="attnlab-model-sort"
          onChange={({ currentTarget: { value } }) =>
            (display.sort.value = value === 'layer' ? BY_LAYER : { score: value, ascending: false })
          }
        >
          <option value="layer">{t('by layer')}</option>
          {options}
        </select>
      </label>
      {order.score !== null && (
        <button
          type="button"
          class="attnlab-model-button"
          data-testid="attnlab-model-direction"
          aria-label={direction}
          title={direction}
          onClick={() => (display.sort.value = { ...order, ascending: !order.ascending })}
        >
          {order.ascending ? '↑' : '↓'}
        </button>
      )}
      <label>
        <span>{t('Color')}</span>
        <select
          value={display.colorBy.value}
          aria-label={t('Color by')}
          data-testid="attnlab-model-color"
          onChange={({ currentTarget: { value } }) => (display.colorBy.value = value)}
        >
          <option value="weights">{t('weights')}</option>
          <option value="layer">{t('layers')}</option>
          {options}
        </select>
      </label>
      <HeadFilter scored={order.score !== null} />
      <span class="attnlab-model-zoom" role="group" aria-label={t('Thumbnail size')}>
        {zoomButton(
          t('Smaller thumbnails'),
          '−',
          ZOOMS.findLast(step => step < zoom)
        )}
        {zoomButton(
          t('Larger thumbnails'),
          '+',
          ZOOMS.find(step => step > zoom)
        )}
      </span>
    </div>
  );
}
