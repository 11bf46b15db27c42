import { useRef } from 'preact/hooks';
import { colorsOfHeads } from '../../draw/palette';
import type { SiteSummary } from '../../protocol/messages';
import { useEnv } from '../parts/env';

/**
 * A button in its color for each head of the site.
 *
 * A click shows or hides the head; a double click shows only this head, or all heads again.
 */
export function HeadToggles({ site }: { site: SiteSummary }) {
  const { state, t, palette } = useEnv();
  const { selection } = state;
  const box = useRef<HTMLDivElement>(null);
  const heads = selection.heads.value;
  const { head: focused } = selection.focus.value;
  if (site.heads < 2) {
    return null;
  }
  const colors = colorsOfHeads(
    Array.from({ length: site.heads }, (_, i) => i),
    palette.value
  );
  /** Arrow keys move the focus; Shift+Enter is the double click. */
  const onKeyDown = (event: KeyboardEvent, head: number): void => {
    const by: Record<string, number> = {
      ArrowLeft: head - 1,
      ArrowRight: head + 1,
      Home: 0,
      End: site.heads - 1
    };
    const to = by[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = Math.max(0, Math.min(to, site.heads - 1));
      box.current?.querySelector<HTMLElement>(`[data-head="${next}"]`)?.focus();
    } else if (event.shiftKey && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      selection.isolate(head);
    }
  };
  return (
    <div ref={box} class="attnlab-head-boxes" role="toolbar" aria-label={t('Heads drawn')}>
      {colors.map((color, head) => {
        const drawn = heads.includes(head);
        return (
          <button
            key={head}
            type="button"
            class="attnlab-head-box"
            data-testid="attnlab-head-box"
            data-head={head}
            data-focus={head === focused || undefined}
            tabIndex={head === focused ? 0 : -1}
            aria-pressed={drawn}
            aria-label={t('Head %1', head)}
            title={t(
              'Head %1: click to show or hide it, double-click (Shift+Enter) to show only this head or all heads',
              head
            )}
            style={{ '--attnlab-head': color }}
            onClick={() => selection.toggleHead(head)}
            onDblClick={() => selection.isolate(head)}
            onKeyDown={event => onKeyDown(event, head)}
          >
            {head}
          </button>
        );
      })}
    </div>
  );
}
