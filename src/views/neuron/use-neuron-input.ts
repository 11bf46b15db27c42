import type { Signal } from '@preact/signals';
import { useEnv } from '../parts/env';
import { onTokenKey, pointerHandlers } from '../parts/token-navigation';
import { dimensionAt, moveCaret, type Caret } from './caret';

/**
 * The event handlers of the neuron view: keys are tokens, strips have dimensions.
 *
 * @param side - Width of one dimension, in pixels.
 * @param selected - The selected dimension, from which the caret starts.
 */
export function useNeuronInput(
  caret: Signal<Caret | null>,
  side: number,
  order: readonly number[],
  selected: number | null
) {
  const { selection, sides } = useEnv().state;
  const token = pointerHandlers(selection, 'key');
  const leave = (): void => {
    caret.value = null;
    token.onPointerLeave();
  };
  const toggle = (dimension: number): void => {
    selection.dimension.value = selection.dimension.peek() === dimension ? null : dimension;
  };
  return {
    onPointerMove: (event: PointerEvent) => {
      token.onPointerMove(event);
      const dimension = dimensionAt(event, side, order);
      if (dimension !== (caret.peek()?.dimension ?? null)) {
        caret.value = dimension === null ? null : { dimension, byKey: false };
      }
    },
    onPointerLeave: leave,
    onBlur: leave,
    onClick: (event: MouseEvent) => {
      const dimension = dimensionAt(event, side, order);
      if (dimension === null) {
        token.onClick(event);
      } else {
        toggle(dimension);
      }
    },
    onKeyDown: (event: KeyboardEvent) => {
      const moved = caret.peek();
      if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
        event.preventDefault();
        moveCaret(caret, order, selected, event.key === 'ArrowRight' ? 1 : -1);
      } else if ((event.key === 'Enter' || event.key === ' ') && moved) {
        event.preventDefault();
        toggle(moved.dimension);
      } else {
        onTokenKey(event, selection, 'key', sides.value.keys.length);
      }
    }
  };
}
