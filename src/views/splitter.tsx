import type { Signal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEnv } from './env';

interface SplitterProps {
  /** The part above, whose height this changes. */
  above: RefObject<HTMLElement>;
  /** Its height in pixels; null for as high as its content, within reason. */
  height: Signal<number | null>;
  label: string;
}

const LEAST = 64;
const STEP = 24;

/** A bar between two parts, moved by the pointer or the arrow keys; Home gives the first size. */
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
        // Until it is moved the height is the content's, which only the page knows.
        event.currentTarget.ariaValueNow = String(current());
      }}
      title={t('Drag, or press an arrow key; double click for the first size')}
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
