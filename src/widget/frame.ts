/** Initial and minimum height of the view, and the step of an arrow key, in pixels. */
const FIRST = 680;
const LEAST = 320;
const STEP = 24;

/**
 * Creates the box of a panel in a cell's output, with a bar below to change its height.
 *
 * @returns The element for the panel; removed with the box when the signal aborts.
 */
export function frame(el: HTMLElement, until: AbortSignal): HTMLElement {
  const box = document.createElement('div');
  const host = document.createElement('div');
  box.className = 'attnlab-inline';
  // Otherwise typing would trigger JupyterLab's shortcuts, which select or delete cells.
  box.dataset.lmSuppressShortcuts = 'true';
  box.addEventListener('keydown', event => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) {
      event.stopPropagation();
    }
  });
  host.className = 'attnlab-inline-host';
  box.append(host, grip(host));
  el.append(box);
  until.addEventListener('abort', () => box.remove(), { once: true });
  return host;
}

/** Dragged or moved by arrow keys; Home or a double click restores the initial height. */
function grip(host: HTMLElement): HTMLElement {
  const bar = document.createElement('div');
  let height = FIRST;
  const set = (pixels: number): void => {
    height = Math.max(LEAST, Math.round(pixels));
    host.style.height = `${height}px`;
    bar.ariaValueNow = String(height);
  };
  bar.className = 'attnlab-inline-grip';
  bar.role = 'separator';
  bar.tabIndex = 0;
  bar.ariaLabel = 'Height of the view';
  bar.ariaOrientation = 'horizontal';
  bar.ariaValueMin = String(LEAST);
  bar.title = 'Drag or press an arrow key to resize; double-click to reset';
  bar.addEventListener('keydown', event => {
    const heights: Record<string, number> = {
      ArrowUp: height - STEP,
      ArrowDown: height + STEP,
      Home: FIRST
    };
    const next = heights[event.key];
    if (next !== undefined) {
      event.preventDefault();
      set(next);
    }
  });
  bar.addEventListener('dblclick', () => set(FIRST));
  bar.addEventListener('pointerdown', event => {
    const start = height - event.clientY;
    const released = new AbortController();
    const { signal } = released;
    bar.setPointerCapture(event.pointerId);
    bar.addEventListener('pointermove', move => set(start + move.clientY), { signal });
    bar.addEventListener('lostpointercapture', () => released.abort(), { signal });
  });
  set(FIRST);
  return bar;
}
