import type { Selection } from '../../state/view-state/selection';

/** The caret of a token list after a key; null for a key that does not move it. */
export function caretAfterKey(
  key: string,
  at: number | null,
  length: number,
  line = 1
): number | null {
  if (length === 0) {
    return null;
  }
  const from = at ?? -1;
  const to: Record<string, number> = {
    ArrowLeft: from - 1,
    ArrowRight: from + 1,
    ArrowUp: at === null ? 0 : from - line,
    ArrowDown: at === null ? 0 : from + line,
    PageUp: from - 10 * line,
    PageDown: from + 10 * line,
    Home: 0,
    End: length - 1
  };
  const next = to[key];
  return next === undefined ? null : Math.max(0, Math.min(next, length - 1));
}

/** Moves the caret of a token list, which is the hovered token; Enter and Space select it. */
export function onTokenKey(
  event: KeyboardEvent,
  selection: Selection,
  side: 'query' | 'key',
  length: number,
  line = 1
): void {
  const at = selection.hover.value[side] ?? selection[side].value;
  if ((event.key === 'Enter' || event.key === ' ') && at !== null) {
    event.preventDefault();
    selection.toggle(side, at);
    return;
  }
  const next = event.ctrlKey || event.metaKey ? null : caretAfterKey(event.key, at, length, line);
  if (next !== null) {
    event.preventDefault();
    selection.hover.value = { [side]: next };
  }
}

/** The index of the token at the target of an event. */
function indexAt(target: EventTarget | null): number | null {
  const element = target instanceof Element ? target.closest<HTMLElement>('[data-index]') : null;
  return element ? Number(element.dataset.index) : null;
}

/** Sets the hovered token of one side to the token under the pointer. */
function hoverAt(target: EventTarget | null, { hover }: Selection, side: 'query' | 'key'): void {
  const index = indexAt(target);
  if (index !== (hover.value[side] ?? null)) {
    hover.value = index === null ? {} : { [side]: index };
  }
}

/** The pointer handlers of a token list: a hover marks a token, a click selects it. */
export function pointerHandlers(selection: Selection, side: 'query' | 'key') {
  const leave = (): void => {
    selection.hover.value = {};
  };
  return {
    onPointerMove: ({ target }: Event) => hoverAt(target, selection, side),
    onPointerLeave: leave,
    onBlur: leave,
    onClick: ({ target }: Event) => {
      const index = indexAt(target);
      if (index !== null) {
        selection.toggle(side, index);
      }
    }
  };
}
