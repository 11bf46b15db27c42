import type { ReadonlySignal } from '@preact/signals';
import { printed } from '../draw/number';
import { WHOLE } from '../protocol/messages';
import { useEnv } from './env';
import type { Cell } from './matrix-cells';
import type { MatrixLens } from './matrix-lens';

interface MatrixBarProps {
  lens: MatrixLens;
  cell: ReadonlySignal<Cell | null>;
  failed: boolean;
}

/** What the colours mean, the weight in question, and the zoom. */
export function MatrixBar({ lens, cell, failed }: MatrixBarProps) {
  const { state, t, palette } = useEnv();
  const { ramp } = palette.value;
  const stops = Array.from({ length: 17 }, (_, i) =>
    colourOf(ramp[Math.round((i * 255) / 16)] ?? 0)
  );
  const side = lens.lens.value.cell;
  const scale =
    side >= 1 ? t('%1 px a weight', round(side)) : t('%1 weights a pixel', round(1 / side));
  const all = state.heads.long.value && !state.heads.reading.value.plain;
  return (
    <div class="attnlab-matrix-bar">
      <span
        class="attnlab-matrix-legend"
        data-testid="attnlab-matrix-legend"
        title={t(
          'Colour of a weight from 0 to 1; weak weights are spread out (weight to the power of 0.65). Hatched: not a number. Where weights share a pixel it shows the largest that is one.'
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
        {failed && <span class="attnlab-failed">{t('has not come')}</span>}
        {all && (
          <span
            class="attnlab-soft"
            data-testid="attnlab-matrix-tokens"
            title={t(
              'A head of more than %1 × %1 weights is drawn from parts of its own matrix, token by token: words, hidden tokens and sentence pairs are as in the list of lines only.',
              WHOLE
            )}
          >
            {t('all tokens: over %1 × %1 weights', WHOLE)}
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
          disabled={lens.fits.value}
          onClick={() => lens.zoom(-1)}
        >
          −
        </button>
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-matrix-in"
          aria-label={t('Zoom in')}
          title={t('Zoom in (+, or Ctrl and the wheel)')}
          onClick={() => lens.zoom(1)}
        >
          +
        </button>
        <button
          type="button"
          class="attnlab-toggle"
          data-testid="attnlab-matrix-fit"
          aria-pressed={lens.fits.value}
          title={t('Show the whole matrix (0)')}
          onClick={() => lens.fit()}
        >
          {t('fit')}
        </button>
      </span>
    </div>
  );
}

/** The weight in question, as the matrix shows it. */
function MatrixValue({ cell }: { cell: ReadonlySignal<Cell | null> }) {
  const { t } = useEnv();
  return (
    <span class="attnlab-matrix-value" data-testid="attnlab-matrix-value">
      {cell.value && weightOf(cell.value, t)}
    </span>
  );
}

/** A weight as it is printed and read aloud: what is no single exact weight says so. */
export function weightOf(
  { weight, exact, side }: Cell,
  t: (text: string, ...values: (string | number)[]) => string
): string {
  if (Number.isNaN(weight) && side > 1) {
    return t('NaN, all of %1 × %2', side, side);
  }
  const number = (exact ? '' : '≈') + printed(weight);
  return side > 1 ? t('%1, largest of %2 × %2', number, side) : number;
}

function round(value: number): string {
  return value >= 10 ? value.toFixed(0) : String(Number(value.toFixed(1)));
}

/** A little-endian RGBA word as CSS has it. */
function colourOf(word: number): string {
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
}
