import { useRef } from 'preact/hooks';
import type { SiteSummary } from '../protocol/messages';
import { useEnv } from './env';
import { coloursOf } from './head-colours';

/**
 * A box for each head of the site, in its colour and with its number: a click draws it with
 * the others or no longer, a double click draws it alone or all of them again.
 */
export function HeadBoxes({ site }: { site: SiteSummary }) {
  const { state, t, palette } = useEnv();
  const { selection } = state;
  const box = useRef<HTMLDivElement>(null);
  const heads = selection.heads.value;
  const { head: focused } = selection.focus.value;
  if (site.heads < 2) {
    return null;
  }
  const colours = coloursOf(
    Array.from({ length: site.heads }, (_, i) => i),
    palette.value
  );
  /** Arrow keys move along the boxes; with the shift key, Enter does what a double click does. */
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
    <div ref={box} class="attnlab-head-boxes" role="toolbar" aria-label={t('Heads that are drawn')}>
      {colours.map((colour, head) => {
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
              'Head %1: click to draw it or not, double click (Shift+Enter) for it alone or for all',
              head
            )}
            style={{ '--attnlab-head': colour }}
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
