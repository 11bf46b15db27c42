import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { layersIn, UNFILTERED, type Filter } from '../state/ordering';
import { useEnv } from './env';

interface LayerFilterProps {
  filter: Signal<Filter>;
  /** Whether the heads are in order of a score, which may then have a least value. */
  scored: boolean;
}

/** Chooses the layers that are shown, and the least score. */
export function LayerFilter({ filter, scored }: LayerFilterProps) {
  const { t } = useEnv();
  const box = useRef<HTMLDetailsElement>(null);
  const text = useSignal('');
  const least = useSignal('');
  const wrong = layersIn(text.value) === undefined;
  const used = filter.value.layers !== null || (scored && filter.value.least !== null);
  useEffect(() => {
    const outside = ({ target }: Event): void => {
      if (box.current && target instanceof Node && !box.current.contains(target)) {
        box.current.open = false;
      }
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, []);
  const set = (): void => {
    const number = Number.parseFloat(least.value);
    filter.value = {
      layers: layersIn(text.value) ?? null,
      least: Number.isNaN(number) ? null : number
    };
  };
  const clear = (): void => {
    text.value = least.value = '';
    filter.value = UNFILTERED;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && box.current?.open) {
      // Only this closes: the selection stays.
      event.preventDefault();
      box.current.open = false;
      box.current.querySelector('summary')?.focus();
    }
  };
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
        <label>
          {t('Layers')}
          <input
            type="text"
            value={text.value}
            placeholder={t('all, or e.g. 0-5, 9')}
            aria-invalid={wrong}
            data-testid="attnlab-model-layers"
            onInput={event => {
              text.value = event.currentTarget.value;
              set();
            }}
          />
        </label>
        {wrong && (
          <p class="attnlab-failed" role="alert">
            {t('Write numbers and ranges, as in 0-5, 9.')}
          </p>
        )}
        {scored && (
          <label>
            {t('Score at least')}
            <input
              type="number"
              step="any"
              value={least.value}
              data-testid="attnlab-model-least"
              onInput={event => {
                least.value = event.currentTarget.value;
                set();
              }}
            />
          </label>
        )}
        <button type="button" class="attnlab-model-button" onClick={clear}>
          {t('Show all')}
        </button>
      </div>
    </details>
  );
}
