import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { numbersIn, UNFILTERED } from '../state/ordering';
import { useEnv } from './env';

interface HeadFilterProps {
  /** Whether the heads are in order of a score, which may then have a range. */
  scored: boolean;
}

/** Chooses the layers and heads that are shown, and the range of their score. */
export function HeadFilter({ scored }: HeadFilterProps) {
  const { state, t } = useEnv();
  const { filter } = state.display;
  const box = useRef<HTMLDetailsElement>(null);
  const { layers, heads, least, most } = filter.value;
  const bounds = least !== null || most !== null;
  const fewer = [layers, heads].some(text => numbersIn(text));
  const used = fewer || (scored && bounds);
  const wrong = [layers, heads].some(text => numbersIn(text) === undefined);
  useEffect(() => {
    const outside = ({ target }: Event): void => {
      if (box.current && target instanceof Node && !box.current.contains(target)) {
        box.current.open = false;
      }
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && box.current?.open) {
      // Only this closes: the selection stays.
      event.preventDefault();
      box.current.open = false;
      box.current.querySelector('summary')?.focus();
    }
  };
  const numbers = (part: 'layers' | 'heads', name: string, hint: string) => (
    <label>
      {name}
      <input
        type="text"
        value={filter.value[part]}
        placeholder={hint}
        aria-invalid={numbersIn(filter.value[part]) === undefined}
        data-testid={`attnlab-model-${part}`}
        onInput={({ currentTarget: { value } }) =>
          (filter.value = { ...filter.peek(), [part]: value })
        }
      />
    </label>
  );
  return (
    <details ref={box} class="attnlab-model-filter" onKeyDown={onKeyDown}>
      <summary
        class="attnlab-model-button"
        data-testid="attnlab-model-filter"
        data-used={used || undefined}
      >
        {used ? t('Filtered') : t('Filter')}
      </summary>
      <div class="attnlab-model-filter-box">
        {numbers('layers', t('Layers'), t('all, or e.g. 0-5, 9'))}
        {numbers('heads', t('Heads'), t('all, or e.g. 0-5, 9'))}
        {wrong && (
          <p class="attnlab-failed" role="alert">
            {t('Write numbers and ranges, as in 0-5, 9.')}
          </p>
        )}
        {scored && <Bound of="least" name={t('Score at least')} />}
        {scored && <Bound of="most" name={t('Score at most')} />}
        <button
          type="button"
          class="attnlab-model-button"
          onClick={() => (filter.value = UNFILTERED)}
        >
          {t('Show all')}
        </button>
      </div>
    </details>
  );
}

/** One end of the score's range. */
function Bound({ of, name }: { of: 'least' | 'most'; name: string }) {
  const { filter } = useEnv().state.display;
  const written = useSignal('');
  const bound = filter.value[of];
  // As it was written, e.g. `0.50`, unless it was set elsewhere.
  const text = read(written.value) === bound ? written.value : String(bound ?? '');
  return (
    <label>
      {name}
      <input
        type="number"
        step="any"
        value={text}
        data-testid={`attnlab-model-${of}`}
        onInput={({ currentTarget: { value } }) => {
          written.value = value;
          filter.value = { ...filter.peek(), [of]: read(value) };
        }}
      />
    </label>
  );
}

function read(text: string): number | null {
  const number = Number.parseFloat(text);
  return Number.isFinite(number) ? number : null;
}
