import type { ComponentChildren } from 'preact';
import type { SiteSummary } from '../../../protocol/messages';
import type { LayerGroup } from '../../../state/heads/layer-groups';
import { useEnv } from '../../parts/env';
import { LayerRowCells } from './layer-row';
import { leftsOf, rowHeight, rowsIn, type Band } from '../grid/layout';
import type { ThumbnailAppearance } from './thumbnails';

interface GroupProps {
  group: LayerGroup;
  appearance: ThumbnailAppearance;
  labelled: boolean;
  /** The part of the content that is in the DOM. */
  band: Band | null;
  /** Top edge of the group's rows, in pixels. */
  from: number;
  /** Number of the group's row of column headers in the grid, from 1. */
  index: number;
}

/** The layers of one stack, under the numbers of their heads. */
export function LayerGroupRows({ group, appearance, labelled, band, from, index }: GroupProps) {
  const { state, t } = useEnv();
  const { side, bars } = appearance;
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
  // The row with the focused head stays in the DOM, so that the Tab key reaches it.
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
      {withSpacers(
        group.rows.map((row, i) =>
          (i >= start && i < end) || row.site?.index === kept ? (
            <LayerRowCells
              key={i}
              row={row}
              appearance={appearance}
              height={heights[i] ?? 0}
              index={index + 1 + i}
            />
          ) : null
        ),
        heights
      )}
    </div>
  );
}

/** Replaces rows that are null by empty space of their height. */
export function withSpacers(
  rows: ComponentChildren[],
  heights: readonly number[]
): ComponentChildren[] {
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
