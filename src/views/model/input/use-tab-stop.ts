import { useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import type { Focus } from '../../../protocol/messages';
import { useEnv } from '../../parts/env';
import type { ModelGrid } from '../grid/grid';

/**
 * The head that the Tab key reaches: the focused one, or the first if that is not in the grid.
 *
 * @param every - All heads of the model.
 */
export function useTabStop(grid: ModelGrid, every: readonly Focus[]): ReadonlySignal<Focus | null> {
  const { state } = useEnv();
  const visible = useSignal<readonly Focus[]>(every);
  useLayoutEffect(() => {
    visible.value = grid.heads;
  }, [grid]);
  return useComputed(() => {
    const { site, head } = state.selection.focus.value;
    const found = visible.value.find(of => of.site === site && of.head === head);
    return found ?? visible.value[0] ?? null;
  });
}
