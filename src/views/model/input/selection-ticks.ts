import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { useEnv } from '../../parts/env';

const TICKS = ['query', 'key'].flatMap(name =>
  ['at', 'size', 'tick'].map(part => `--attnlab-${name}-${part}`)
);

/**
 * Marks the hovered or selected query and key on all thumbnails in `box`.
 *
 * Thumbnails with other tokens than the focused head hide the ticks, see `Thumbnails`.
 */
export function useSelectionTicks(box: RefObject<HTMLElement>, side: number): void {
  const { state } = useEnv();
  const size = useSignal(side);
  useLayoutEffect(() => {
    size.value = side;
  }, [side]);
  const ticks = useComputed<Record<string, string>>(() => {
    const { queries, keys } = state.sides.value;
    return {
      ...tick('query', state.selection.shownQuery.value, queries.length, size.value),
      ...tick('key', state.selection.shownKey.value, keys.length, size.value)
    };
  });
  useSignalEffect(() => {
    // Set on the element directly: a change of the ticks must not render the rows again.
    for (const name of TICKS) {
      box.current?.style.setProperty(name, ticks.value[name] ?? '');
    }
  });
}

/** The custom properties that place a token's tick on every thumbnail. */
function tick(
  name: 'query' | 'key',
  index: number | null,
  length: number,
  side: number
): Record<string, string> {
  if (index === null || index >= length) {
    return {};
  }
  const size = Math.max(2, side / length);
  const at = Math.min(side - size, (index * side) / length);
  return {
    [`--attnlab-${name}-at`]: `${at.toFixed(2)}px`,
    [`--attnlab-${name}-size`]: `${size.toFixed(2)}px`,
    [`--attnlab-${name}-tick`]: 'var(--attnlab-mark)'
  };
}
