import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { csv } from '../figures/csv';
import { download, fileOf, print } from '../figures/save';
import type { Scene } from '../figures/scene';
import type { Part } from '../state/display';
import { useEnv } from './env';

interface FigureMenuProps {
  part: Part;
  /** The figure of what the view shows, so wide; a text says why there is none. */
  scene: (width: number) => Scene | string;
  /** The numbers behind it, under a row of names. */
  rows: () => (string | number)[][];
}

/** A column of a paper, a page, a slide: CSS pixels. */
const WIDTHS = [360, 640, 960];

/** Saves or copies what a view shows, and the numbers behind it. */
export function FigureMenu({ part, scene, rows }: FigureMenuProps) {
  const { state, t, actions } = useEnv();
  const open = useSignal(false);
  const width = useSignal(640);
  const why = useSignal('');
  const box = useRef<HTMLDivElement>(null);
  const id = `${state.id}-figure-${part}`;
  useEffect(() => {
    if (!open.value) {
      return;
    }
    box.current?.querySelector<HTMLElement>('[role=menu] button')?.focus();
    const outside = ({ target }: Event): void => {
      if (target instanceof Node && !box.current?.contains(target)) {
        open.value = false;
      }
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open.value]);

  /** Runs a choice; what went wrong is said in the menu, which stays open for it. */
  const act = async (done: (scene: Scene) => void | Promise<void>): Promise<void> => {
    try {
      const drawn = scene(width.value);
      if (typeof drawn === 'string') {
        why.value = drawn;
        return;
      }
      await done(drawn);
      why.value = '';
      open.value = false;
    } catch (error) {
      why.value = error instanceof Error ? error.message : String(error);
    }
  };
  const name = (ending: string) => `attention-${part}.${ending}`;
  const save = (format: 'svg' | 'png') => async (drawn: Scene) =>
    download(await fileOf(drawn, format), name(format));
  const copyPng = async (drawn: Scene): Promise<void> => {
    const item = new ClipboardItem({ 'image/png': fileOf(drawn, 'png') });
    await navigator.clipboard.write([item]);
  };
  const copySvg = async (drawn: Scene): Promise<void> =>
    actions.copy?.(await (await fileOf(drawn, 'svg')).text());
  const saveCsv = (): void => {
    download(new Blob([csv(rows())], { type: 'text/csv;charset=utf-8' }), name('csv'));
    open.value = false;
  };
  const choices: [string, string, () => void][] = [
    ['svg', t('Save as SVG'), () => void act(save('svg'))],
    ['png', t('Save as PNG'), () => void act(save('png'))],
    ['pdf', t('Print or save as PDF…'), () => void act(print)],
    ['csv', t('Save the numbers as CSV'), saveCsv],
    ['copy-png', t('Copy as PNG'), () => void act(copyPng)],
    ...(actions.copy
      ? [['copy-svg', t('Copy as SVG'), () => void act(copySvg)] as [string, string, () => void]]
      : [])
  ];
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = items.findIndex(item => item === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length }[event.key];
    if (event.key === 'Escape' && open.value) {
      // Only the menu closes: the selection stays.
      event.preventDefault();
      open.value = false;
      box.current?.querySelector('button')?.focus();
    } else if (to !== undefined && at >= 0) {
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
        aria-label={t('Save or copy this view')}
        title={t('Save or copy this view')}
        aria-haspopup="menu"
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => (open.value = !open.value)}
      >
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <path
            d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11"
            fill="none"
            stroke="currentColor"
            stroke-width="1.3"
            stroke-linecap="round"
            stroke-linejoin="round"
          />
        </svg>
      </button>
      {open.value && (
        <div class="attnlab-figure-menu" id={id}>
          <div role="menu" aria-label={t('Save or copy this view')}>
            {choices.map(([choice, label, run]) => (
              <button
                key={choice}
                type="button"
                role="menuitem"
                data-testid="attnlab-figure-choice"
                data-choice={choice}
                onClick={run}
              >
                {label}
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
          {why.value && (
            <p class="attnlab-failed" role="alert">
              {why.value}
            </p>
          )}
        </div>
      )}
    </div>
  );
}
