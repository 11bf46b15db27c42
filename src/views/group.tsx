import type { ComponentChildren } from 'preact';
import type { SiteSummary } from '../protocol/messages';
import { useEnv } from './env';
import { Layer } from './layer';
import { leftsOf, rowHeight, rowsIn, type Band } from './model-layout';
import type { LayerGroup } from './rows';
import type { Look } from './thumbs';

interface GroupProps {
  group: LayerGroup;
  look: Look;
  labelled: boolean;
  /** What is in the page, and where the group's rows begin. */
  band: Band | null;
  from: number;
  /** The number of the group's first row in the grid, that of the heads' numbers, from 1. */
  index: number;
}

/** The layers of one stack. */
export function Group({ group, look, labelled, band, from, index }: GroupProps) {
  const { state, t } = useEnv();
  const { side, bars } = look;
  const names: Record<SiteSummary['kind'], string> = {
    encoder: t('Encoder'),
    decoder: t('Decoder'),
    cross: t('Cross-attention')
  };
  const part = group.part ? ` · ${group.part}` : '';
  const name = names[group.kind] + part + group.run;
  const widest = group.rows.find(({ heads }) => heads.length === group.columns);
  const heads = widest?.heads ?? [];
  const lefts = widest?.site ? leftsOf(widest.site, side, heads) : [];
  const heights = group.rows.map(({ site }) => rowHeight(site, side, bars !== null));
  // The row with the focus stays, so that the Tab key finds it.
  const kept = band ? state.selection.focus.value.site : -1;
  const { start, end } = rowsIn(band, heights, from);
  return (
    <div class="attnlab-group" role="rowgroup" aria-label={name}>
      {labelled && <h3 role="presentation">{name}</h3>}
      <div class="attnlab-columns" role="row" aria-rowindex={index}>
        {heads.map((head, i) => (
          <span
            key={head}
            role="columnheader"
            aria-colindex={head + 2}
            style={{ left: `${lefts[i] ?? 0}px`, width: `${side}px` }}
          >
            {head}
          </span>
        ))}
      </div>
      {spaced(
        group.rows.map((row, i) =>
          (i >= start && i < end) || row.site?.index === kept ? (
            <Layer key={i} row={row} look={look} height={heights[i] ?? 0} index={index + 1 + i} />
          ) : null
        ),
        heights
      )}
    </div>
  );
}

/** Rows, and empty space of their height for those that are not in the page. */
export function spaced(rows: ComponentChildren[], heights: readonly number[]): ComponentChildren[] {
  const all: ComponentChildren[] = [];
  let space = 0;
  const fill = (before: number): void => {
    if (space > 0) {
      all.push(
        <div key={`space ${before}`} role="presentation" style={{ height: `${space}px` }} />
      );
    }
    space = 0;
  };
  rows.forEach((row, i) => {
    if (row === null) {
      space += heights[i] ?? 0;
    } else {
      fill(i);
      all.push(row);
    }
  });
  fill(rows.length);
  return all;
}
