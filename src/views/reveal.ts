import { useEffect, useRef } from 'preact/hooks';
import { useEnv } from './env';

/**
 * Brings a token into view when it becomes selected, in whichever view that happens.
 *
 * A new version of the text may move the selected token: then everything stays where it is.
 *
 * @param index - Where the selected token is in this view; null or negative for nowhere.
 */
export function useReveal(index: number | null, reveal: (index: number) => void): void {
  const { state } = useEnv();
  const trace = state.trace.value?.id;
  const before = useRef({ index, trace });
  useEffect(() => {
    const selected = before.current.trace === trace && before.current.index !== index;
    before.current = { index, trace };
    if (selected && index !== null && index >= 0) {
      reveal(index);
    }
  }, [index, trace]);
}

/** Scrolls an element as little as it takes for a line of it to be seen. */
export function scrollToLine(box: HTMLElement | null, line: number, height: number, covered = 0) {
  if (!box) {
    return;
  }
  const [top, room] = [line * height, box.clientHeight - covered];
  box.scrollTop = Math.max(top + height - room, Math.min(top, box.scrollTop));
}
