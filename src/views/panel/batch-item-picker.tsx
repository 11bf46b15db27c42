import type { Shown } from '../../state/text/tokens';
import { useEnv } from '../parts/env';
import { abbreviated } from './cell-name';

/** Selects the batch item, if there are several. */
export function BatchItemPicker({ shown }: { shown: Shown }) {
  const { state, t } = useEnv();
  const { selection } = state;
  const { items } = shown.trace;
  if (items < 2) {
    return null;
  }
  const item = Math.min(selection.item.value, items - 1);
  const text = shown.sequences[0]?.text;
  const step = (by: number) => (
    // Only the number is in the tab order, as in the ARIA spin button pattern.
    <button
      type="button"
      class="attnlab-icon-button"
      tabIndex={-1}
      aria-label={by < 0 ? t('Previous batch item') : t('Next batch item')}
      disabled={item + by < 0 || item + by >= items}
      onClick={() => selection.choose(item + by)}
    >
      <svg viewBox="0 0 8 12" width="7" height="10" aria-hidden="true">
        <path
          d={by < 0 ? 'M6 1.5 2 6l4 4.5' : 'M2 1.5 6 6l-4 4.5'}
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        />
      </svg>
    </button>
  );
  return (
    <span
      class="attnlab-item-picker"
      title={text ? abbreviated(text, 80) : t('Batch item')}
      data-busy={item !== shown.item || undefined}
    >
      {step(-1)}
      <span
        class="attnlab-item"
        role="spinbutton"
        tabIndex={0}
        data-testid="attnlab-item"
        aria-label={t('Batch item')}
        aria-valuenow={item + 1}
        aria-valuemin={1}
        aria-valuemax={items}
        aria-valuetext={t('item %1 of %2', item + 1, items)}
        onKeyDown={event => {
          const to = target(event.key, item, items);
          if (to !== null) {
            event.preventDefault();
            selection.choose(to);
          }
        }}
      >
        {item + 1}
        <span class="attnlab-soft">/{items}</span>
      </span>
      {step(1)}
    </span>
  );
}

/** The item selected by a key; null for other keys. */
function target(key: string, item: number, items: number): number | null {
  const to: Record<string, number> = {
    ArrowUp: item + 1,
    ArrowRight: item + 1,
    ArrowDown: item - 1,
    ArrowLeft: item - 1,
    PageUp: item + 10,
    PageDown: item - 10,
    Home: 0,
    End: items - 1
  };
  const next = to[key];
  return next === undefined ? null : Math.max(0, Math.min(next, items - 1));
}
