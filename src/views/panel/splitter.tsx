import type { Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEnv } from '../parts/env';

interface SplitterProps {
  /** The section above, whose height the splitter changes. */
  above: RefObject<HTMLElement>;
  /** Its height in pixels; null for the default, which depends on its content. */
  height: Signal<number | null>;
  label: string;
}

const LEAST = 64;
const STEP = 24;

/** A bar between two sections, moved by the pointer or arrow keys; Home resets the height. */
export function Splitter({ above, height, label }: SplitterProps) {
  const { t } = useEnv();
  const current = (): number => above.current?.offsetHeight ?? LEAST;
  const set = (value: number): void => {
    height.value = Math.max(LEAST, Math.round(value));
  };
  return (
    <div
      class="attnlab-splitter"
      role="separator"
      aria-orientation="horizontal"
      aria-label={label}
      aria-valuenow={height.value ?? undefined}
      aria-valuemin={LEAST}
      tabIndex={0}
      onFocus={event => {
        // The default height depends on the content and is known only after layout.
        event.currentTarget.ariaValueNow = String(current());
      }}
      title={t('Drag or press an arrow key to resize; double-click to reset')}
      onDblClick={() => (height.value = null)}
      onKeyDown={event => {
        if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
          event.preventDefault();
          set(current() + (event.key === 'ArrowUp' ? -STEP : STEP));
        } else if (event.key === 'Home') {
          event.preventDefault();
          height.value = null;
        }
      }}
      onPointerDown={event => {
        const bar = event.currentTarget;
        const start = current() - event.clientY;
        const until = new AbortController();
        const { signal } = until;
        bar.setPointerCapture(event.pointerId);
        bar.addEventListener('pointermove', move => set(start + move.clientY), { signal });
        bar.addEventListener('lostpointercapture', () => until.abort(), { signal });
      }}
    />
  );
}
