import { useEnv } from '../parts/env';
import { Icon } from '../parts/icon';

/** Pins the panel to a cell, or follows the most recently run cell again. */
export function PinButton({ cell }: { cell: string }) {
  const { state, t } = useEnv();
  const pinned = state.follower.pinned.value === cell;
  return (
    <button
      type="button"
      class="attnlab-icon-button attnlab-pin"
      data-testid="attnlab-pin"
      aria-pressed={pinned}
      title={
        pinned
          ? t('Pinned to this cell; click to unpin and follow the most recently run cell')
          : t('Following the most recently run cell; click to pin this one')
      }
      aria-label={t('Pin this cell')}
      onClick={() => state.follower.pin(pinned ? null : cell)}
    >
      <Icon path="M5.5 1.5h5M6.5 1.5v4.5l-2.5 3h8l-2.5-3V1.5M8 9v5.5" filled={pinned} />
      {pinned && <span>{t('pinned')}</span>}
    </button>
  );
}
