import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import type { RowRange } from '../../draw/visible-rows';
import type { Axis } from '../../state/heads/axis';
import { useEnv } from '../parts/env';
import { ROW_HEIGHT } from '../parts/row-height';
import { scrollToLine, useScrollToSelection } from '../parts/scroll-into-view';
import { caretAfterKey, pointerHandlers } from '../parts/token-navigation';
import { TokenRow } from './token-row';

interface TokenListProps {
  side: 'query' | 'key';
  axis: Axis;
  window: RowRange;
  scroller: RefObject<HTMLElement>;
}

/** One side of the head view: a list of tokens, with the weights in the selected slice. */
export function TokenList({ side, axis, window, scroller }: TokenListProps) {
  const { state, t } = useEnv();
  const { selection } = state;
  const { same } = state.sides.value;
  const { entries } = axis;
  const query = selection.shownQuery.value;
  const key = selection.shownKey.value;
  const entryOf = (token: number | null | undefined): number =>
    token === null || token === undefined ? -1 : (axis.entryOf[token] ?? -1);
  const startOf = (index: number): number => entries[index]?.start ?? 0;
  const current = entryOf(side === 'query' ? query : key);
  const other = entryOf(same ? (side === 'query' ? key : query) : null);
  const selected = entryOf(selection[side].value);
  const hovered = entryOf(selection.hover.value[side]);
  const id = `${state.id}-head-${side}`;
  useEffect(() => {
    if (hovered >= 0 && scroller.current?.querySelector(`[data-side="${side}"]:focus`)) {
      scrollToLine(scroller.current, hovered, ROW_HEIGHT);
    }
  }, [hovered]);
  useScrollToSelection(selected, row => scrollToLine(scroller.current, row, ROW_HEIGHT));

  /** Moves the caret, which is the hovered token; Enter and Space select it. */
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = current >= 0 ? current : null;
    if ((event.key === 'Enter' || event.key === ' ') && at !== null) {
      event.preventDefault();
      selection.toggle(side, selected === at ? (selection[side].value ?? 0) : startOf(at));
      return;
    }
    const sideways = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
    const next =
      sideways || event.ctrlKey || event.metaKey
        ? null
        : caretAfterKey(event.key, at, entries.length);
    if (next !== null) {
      event.preventDefault();
      selection.hover.value = { [side]: startOf(next) };
    }
  };

  return (
    <div
      class={`attnlab-column attnlab-${side === 'query' ? 'queries' : 'keys'}`}
      role="listbox"
      tabIndex={0}
      data-side={side}
      aria-label={side === 'query' ? t('Queries of the head') : t('Keys of the head')}
      aria-activedescendant={current < 0 ? undefined : `${id}-${startOf(current)}`}
      {...pointerHandlers(selection, side)}
      onKeyDown={onKeyDown}
    >
      {entries.slice(window.start, window.end).map((entry, i) => {
        const index = window.start + i;
        return (
          <TokenRow
            key={entry.start}
            id={`${id}-${entry.start}`}
            side={side}
            index={index}
            count={entries.length}
            entry={entry}
            selected={index === selected}
            mark={index === current ? 'current' : index === other ? 'same' : undefined}
          />
        );
      })}
    </div>
  );
}
