import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { parseNumbers, UNFILTERED } from '../../../state/view-state/head-filter';
import { useEnv } from '../../parts/env';
import { useDismiss } from '../../parts/use-dismiss';

interface HeadFilterProps {
  /** Whether the heads are sorted by a score, whose range can then be filtered. */
  scored: boolean;
}

/** Filters the heads by layer, number and score. */
export function HeadFilter({ scored }: HeadFilterProps) {
  const { state, t } = useEnv();
  const { filter } = state.display;
  const box = useRef<HTMLDetailsElement>(null);
  const { layers, heads, least, most } = filter.value;
  const bounds = least !== null || most !== null;
  const fewer = [layers, heads].some(text => parseNumbers(text));
  const used = fewer || (scored && bounds);
  const wrong = [layers, heads].some(text => parseNumbers(text) === undefined);
  const onKeyDown = useDismiss(
    box,
    () => box.current?.open ?? false,
    () => {
      if (box.current) {
        box.current.open = false;
      }
    }
  );
  const numbers = (part: 'layers' | 'heads', name: string, hint: string) => (
    <label>
      {name}
      <input
        type="text"
        value={filter.value[part]}
        placeholder={hint}
        aria-invalid={parseNumbers(filter.value[part]) === undefined}
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
            {t('Enter numbers and ranges, e.g. 0-5, 9.')}
          </p>
        )}
        {scored && <Bound of="least" name={t('Minimum score')} />}
        {scored && <Bound of="most" name={t('Maximum score')} />}
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

/** One bound of the score's range. */
function Bound({ of, name }: { of: 'least' | 'most'; name: string }) {
  const { filter } = useEnv().state.display;
  const typed = useSignal('');
  const bound = filter.value[of];
  // Keeps the text as typed, e.g. `0.50`, unless the bound was set elsewhere.
  const text = read(typed.value) === bound ? typed.value : String(bound ?? '');
  return (
    <label>
      {name}
      <input
        type="number"
        step="any"
        value={text}
        data-testid={`attnlab-model-${of}`}
        onInput={({ currentTarget: { value } }) => {
          typed.value = value;
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
