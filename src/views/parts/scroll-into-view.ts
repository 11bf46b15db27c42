import { useEffect, useRef } from 'preact/hooks';
import { useEnv } from './env';

/**
 * Scrolls a token into view when it becomes selected, in any view.
 *
 * Does not scroll when a new version of the text moves the selected token.
 *
 * @param index - Index of the selected token in this view; null or negative if it is not shown.
 */
export function useScrollToSelection(index: number | null, reveal: (index: number) => void): void {
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

/** Scrolls a line of an element into view, as little as possible. */
export function scrollToLine(box: HTMLElement | null, line: number, height: number, covered = 0) {
  if (!box) {
    return;
  }
  const [top, room] = [line * height, box.clientHeight - covered];
  box.scrollTop = Math.max(top + height - room, Math.min(top, box.scrollTop));
}
