import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Missing } from '../../figures/panel-figures';
import type { Scene } from '../../figures/scene';
import type { PanelPart } from '../../state/view-state/display';
import { useEnv } from './env';
import { useFigureActions } from './figure-actions';
import { Icon } from './icon';
import { useDismiss } from './use-dismiss';

interface FigureMenuProps {
  part: PanelPart;
  /** Draws the view as a figure of this width, in CSS pixels. */
  scene: (width: number) => Scene | Missing;
  /** The data of the view as a table whose first row is the header. */
  rows: () => (string | number)[][];
}

/** Widths for a column, a page and a slide, in CSS pixels. */
const WIDTHS = [360, 640, 960];

/** A menu that saves, prints or copies the view as a figure, and its data as a table. */
export function FigureMenu({ part, scene, rows }: FigureMenuProps) {
  const { state, t } = useEnv();
  const open = useSignal(false);
  const width = useSignal(640);
  const error = useSignal('');
  const box = useRef<HTMLDivElement>(null);
  const id = `${state.id}-figure-${part}`;
  const actions = useFigureActions(part, () => scene(width.value), rows);
  const label = t('Save or copy this view');
  const dismissOnEscape = useDismiss(
    box,
    () => open.peek(),
    () => (open.value = false)
  );
  useEffect(() => {
    if (open.value) {
      box.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    }
  }, [open.value]);

  /** Runs an action; the menu stays open to show an error. */
  const run = async (action: () => void | Promise<void>): Promise<void> => {
    try {
      await action();
      error.value = '';
      open.value = false;
    } catch (thrown) {
      error.value = thrown instanceof Error ? thrown.message : String(thrown);
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    dismissOnEscape(event);
    const items = [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = items.findIndex(item => item === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length }[event.key];
    if (to !== undefined && at >= 0) {
      event.preventDefault();
      items[to % items.length]?.focus();
    }
  };
  return (
    <div ref={box} class="attnlab-figure" onKeyDown={onKeyDown}>
      <button
        type="button"
        class="attnlab-icon-button"
        data-testid={`attnlab-figure-${part}`}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => (open.value = !open.value)}
      >
        <Icon path="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" />
      </button>
      {open.value && (
        <div class="attnlab-figure-menu" id={id}>
          <div role="menu" aria-label={label}>
            {actions.map(({ id, name, run: action }) => (
              <button
                key={id}
                type="button"
                role="menuitem"
                data-testid="attnlab-figure-choice"
                data-choice={id}
                onClick={() => void run(action)}
              >
                {name}
              </button>
            ))}
          </div>
          <label>
            {t('Width')}
            <select
              value={width.value}
              onChange={event => (width.value = Number(event.currentTarget.value))}
            >
              {WIDTHS.map(pixels => (
                <option key={pixels} value={pixels}>
                  {t('%1 px', pixels)}
                </option>
              ))}
            </select>
          </label>
          {error.value && (
            <p class="attnlab-failed" role="alert">
              {error.value}
            </p>
          )}
        </div>
      )}
    </div>
  );
}
