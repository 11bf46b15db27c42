import { useComputed, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { SiteSummary } from '../protocol/messages';
import { sidesOf } from '../state/tokens';
import { useEnv } from './env';
import { Layer, leftsOf } from './layer';
import type { LayerGroup } from './rows';

interface GroupProps {
  group: LayerGroup;
  side: number;
  labelled: boolean;
}

/** The layers of one stack, with the ticks of what is hovered and selected. */
export function Group({ group, side, labelled }: GroupProps) {
  const { state, t } = useEnv();
  const names: Record<SiteSummary['kind'], string> = {
    encoder: t('Encoder'),
    decoder: t('Decoder'),
    cross: t('Cross-attention')
  };
  const part = group.part ? ` · ${group.part}` : '';
  const name = names[group.kind] + part + group.run;
  const ticks = useComputed<Record<string, string>>(() => {
    const shown = state.shown.value;
    const site = group.rows.find(row => row.site)?.site;
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
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    // Straight to the element: a tick must not draw the rows again.
    for (const name of TICKS) {
      box.current?.style.setProperty(name, ticks.value[name] ?? '');
    }
  });
  const columns = Array.from({ length: group.columns }, (_, head) => head);
  const widest = group.rows.find(row => row.site?.heads === group.columns)?.site;
  return (
    <div class="attnlab-group" role="rowgroup" aria-label={name} ref={box}>
      {labelled && <h3 role="presentation">{name}</h3>}
      <div class="attnlab-columns" role="row">
        {columns.map(head => (
          <span
            key={head}
            role="columnheader"
            aria-colindex={head + 2}
            style={{
              left: `${(widest ? leftsOf(widest, side)[head] : 0) ?? 0}px`,
              width: `${side}px`
            }}
          >
            {head}
          </span>
        ))}
      </div>
      {group.rows.map((row, i) => (
        <Layer key={i} row={row} side={side} />
      ))}
    </div>
  );
}

const TICKS = ['query', 'key'].flatMap(name =>
  ['at', 'size', 'tick'].map(part => `--attnlab-${name}-${part}`)
);

/** Where a token's tick stands on every thumbnail of a group. */
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
