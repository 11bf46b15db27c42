import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import type { SiteSummary } from '../protocol/messages';
import { sidesOf } from '../state/tokens';
import { useEnv } from './env';

const TICKS = ['query', 'key'].flatMap(name =>
  ['at', 'size', 'tick'].map(part => `--attnlab-${name}-${part}`)
);

/** Marks what is hovered and selected on all thumbnails in `box`, which are of sites like this. */
export function useTicks(
  box: RefObject<HTMLElement>,
  site: SiteSummary | null,
  side: number
): void {
  const { state } = useEnv();
  const of = useSignal({ site, side });
  useLayoutEffect(() => {
    of.value = { site, side };
  }, [site, side]);
  const ticks = useComputed<Record<string, string>>(() => {
    const { site, side } = of.value;
    const shown = state.shown.value;
    if (!shown || !site) {
      return {};
    }
    const [own, focused] = [sidesOf(shown, site), state.sides.value];
    const query = state.selection.shownQuery.value;
    const key = state.selection.shownKey.value;
    return {
      ...tick('query', own.queries === focused.queries ? query : null, own.queries.length, side),
      ...tick('key', own.keys === focused.keys ? key : null, own.keys.length, side)
    };
  });
  useSignalEffect(() => {
    // Straight to the element: a tick must not draw the rows again.
    for (const name of TICKS) {
      box.current?.style.setProperty(name, ticks.value[name] ?? '');
    }
  });
}

/** Where a token's tick stands on every thumbnail. */
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
