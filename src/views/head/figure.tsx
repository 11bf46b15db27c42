import { headColors } from '../../draw/head-colors';
import { headRows, headScene } from '../../figures/panel-figures';
import { useEnv } from '../parts/env';
import { FigureMenu } from '../parts/figure-menu';
import { useHeadName } from '../parts/head-name';

/** The figure of the head view: its lines, or its matrix. */
export function HeadFigure() {
  const { state } = useEnv();
  const title = `${state.trace.value?.model ?? ''} · ${useHeadName()}`;
  return (
    <FigureMenu
      part="head"
      scene={width => {
        // Figures have a white background, whatever the theme.
        const colors = headColors(state.site.value?.heads ?? 1, false);
        const colorOf = (head: number): string => colors[head % colors.length] ?? '';
        return headScene(state, title, width, colorOf);
      }}
      rows={() => headRows(state)}
    />
  );
}
