import type { ReadonlySignal } from '@preact/signals';
import { formatWeight } from '../../../draw/format-number';
import { FULL_HEAD_LIMIT } from '../../../protocol/messages';
import { useEnv } from '../../parts/env';
import type { MatrixCell } from './weights';
import type { MatrixViewport } from './viewport';

interface MatrixToolbarProps {
  viewport: MatrixViewport;
  cell: ReadonlySignal<MatrixCell | null>;
  failed: boolean;
}

/** The color legend, the current weight and the zoom. */
export function MatrixToolbar({ viewport, cell, failed }: MatrixToolbarProps) {
  const { state, t, palette } = useEnv();
  const { ramp } = palette.value;
  const stops = Array.from({ length: 17 }, (_, i) =>
    colorOf(ramp[Math.round((i * 255) / 16)] ?? 0)
  );
  const side = viewport.current.value.cell;
  const scale =
    side >= 1 ? t('%1 px per weight', round(side)) : t('%1 weights per pixel', round(1 / side));
  const all = state.heads.long.value && !state.heads.axes.value.isIdentity;
  return (
    <div class="attnlab-matrix-bar">
      <span
        class="attnlab-matrix-legend"
        data-testid="attnlab-matrix-legend"
        title={t(
          'Color of a weight from 0 to 1, scaled as weight^0.65 to make small weights visible. Hatched: NaN. Where several weights share a pixel, it shows the largest one that is not NaN.'
        )}
      >
        <span>0</span>
        <span
          class="attnlab-matrix-ramp"
          aria-hidden="true"
          style={{ background: `linear-gradient(to right, ${stops.join(', ')})` }}
        />
        <span>1</span>
      </span>
      <span class="attnlab-matrix-note">
        {failed && <span class="attnlab-failed">{t('failed to load')}</span>}
        {all && (
          <span
            class="attnlab-soft"
            data-testid="attnlab-matrix-tokens"
            title={t(
              'A head with more than %1 × %1 weights is drawn in tiles of all its tokens. “words”, “no special tokens” and the choice of sentences apply only to lines.',
              FULL_HEAD_LIMIT
            )}
          >
            {t('all tokens: more than %1 × %1 weights', FULL_HEAD_LIMIT)}
          </span>
        )}
      </span>
      <MatrixValue cell={cell} />
      <span class="attnlab-matrix-zoom" role="group" aria-label={t('Zoom')}>
        <span class="attnlab-soft" data-testid="attnlab-matrix-scale">
          {scale}
        </span>
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-matrix-out"
          aria-label={t('Zoom out')}
          title={t('Zoom out (−)')}
          disabled={viewport.fits.value}
          onClick={() => viewport.zoom(-1)}
        >
          −
        </button>
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-matrix-in"
          aria-label={t('Zoom in')}
          title={t('Zoom in (+ or Ctrl+wheel)')}
          onClick={() => viewport.zoom(1)}
        >
          +
        </button>
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-matrix-fit"
          aria-pressed={viewport.fits.value}
          title={t('Show the whole matrix (0)')}
          onClick={() => viewport.fit()}
        >
          {t('fit')}
        </button>
      </span>
    </div>
  );
}

/** The current weight as drawn in the matrix. */
function MatrixValue({ cell }: { cell: ReadonlySignal<MatrixCell | null> }) {
  const { t } = useEnv();
  return (
    <span class="attnlab-matrix-value" data-testid="attnlab-matrix-value">
      {cell.value && cellText(cell.value, t)}
    </span>
  );
}

/** A cell as text for screen and screen readers; marks weights that are not a single exact one. */
export function cellText(
  { weight, exact, side }: MatrixCell,
  t: (text: string, ...values: (string | number)[]) => string
): string {
  if (Number.isNaN(weight) && side > 1) {
    return t('NaN, all of %1 × %2', side, side);
  }
  const number = (exact ? '' : '≈') + formatWeight(weight);
  return side > 1 ? t('%1, largest of %2 × %2', number, side) : number;
}

function round(value: number): string {
  return value >= 10 ? value.toFixed(0) : String(Number(value.toFixed(1)));
}

/** A little-endian RGBA word as a CSS color. */
function colorOf(word: number): string {
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
}
