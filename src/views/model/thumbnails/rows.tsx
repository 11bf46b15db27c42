import type { TraceSummary } from '../../../protocol/messages';
import type { Band } from '../grid/layout';
import type { LayerGrid } from '../grid/layer-grid';
import { SortedGrid } from '../grid/sorted-grid';
import { LayerGroupRows } from './layer-group';
import { SortedRows } from './sorted-rows';
import type { ThumbnailAppearance } from './thumbnails';

interface RowsProps {
  trace: TraceSummary;
  grid: LayerGrid | SortedGrid;
  appearance: ThumbnailAppearance;
  /** Whether the groups of layers have names. */
  labelled: boolean;
  band: Band | null;
}

/** The rows of thumbnails: by layer, or sorted by a score. */
export function ThumbnailRows({ trace, grid, appearance, labelled, band }: RowsProps) {
  if (grid instanceof SortedGrid) {
    return <SortedRows trace={trace} grid={grid} appearance={appearance} band={band} />;
  }
  return (
    <>
      {grid.placed.map(({ group, from, index }) => (
        <LayerGroupRows
          key={`${group.kind} ${group.stack}`}
          group={group}
          appearance={appearance}
          labelled={labelled}
          band={band}
          from={from}
          index={index}
        />
      ))}
    </>
  );
}
