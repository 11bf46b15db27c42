/** The height of a view that nobody has changed, and the least one, in pixels. */
const FIRST = 680;
const LEAST = 320;
const STEP = 24;

/**
 * Makes the box of a panel in a cell's output, with a bar below that changes its height.
 *
 * @returns The element for the panel; it goes with the box when the signal aborts.
 */
export function frame(el: HTMLElement, until: AbortSignal): HTMLElement {
  const box = document.createElement('div');
  const host = document.createElement('div');
  box.className = 'attnlab-inline';
  // JupyterLab's shortcuts would move from cell to cell, or delete one, while a person types.
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

/** Moved by the pointer or the arrow keys; Home, or a double click, gives the first height. */
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
  bar.title = 'Drag, or press an arrow key; double click for the first size';
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
