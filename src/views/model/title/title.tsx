import type { LayerGroup } from '../../../state/heads/layer-groups';
import { useEnv } from '../../parts/env';
import { FoldButton } from '../../parts/fold-button';
import { useHelp } from '../../parts/help';
import { ModelControls } from './controls';
import { ModelFigure } from './figure';
import type { LayerGrid } from '../grid/layer-grid';
import type { ModelScores } from '../scores';
import type { SortedGrid } from '../grid/sorted-grid';
import { ModelStatus } from './status';

interface ModelTitleProps {
  groups: readonly LayerGroup[];
  grid: LayerGrid | SortedGrid;
  scores: ModelScores;
}

/** The title, the help and the controls of the model view. */
export function ModelTitle({ groups, grid, scores }: ModelTitleProps) {
  const { t } = useEnv();
  const { helpButton, helpText } = useHelp('model');
  const layers = groups.map(({ rows }) => new Set(rows.map(({ layer }) => layer)).size);
  return (
    <div class="attnlab-model-title">
      <h2 class="attnlab-title">
        <FoldButton part="model" name={t('Model')} />
        <span class="attnlab-subtitle">
          {t('%1 layers × %2 heads', layers.join(' + '), columnsOf(groups))}
        </span>
        <ModelStatus scores={scores} />
        {helpButton}
        <ModelFigure grid={grid} bars={scores.bars} />
      </h2>
      {helpText}
      <ModelControls scores={scores} />
    </div>
  );
}

/** The largest number of heads in a layer. */
export function columnsOf(groups: readonly LayerGroup[]): number {
  return Math.max(1, ...groups.map(({ columns }) => columns));
}
