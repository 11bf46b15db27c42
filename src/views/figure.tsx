import { headColours } from '../draw/head-colours';
import type { ModelRow } from '../figures/model';
import {
  headRows,
  headScene,
  modelRows,
  modelScene,
  neuronRows,
  neuronScene,
  type Missing
} from '../figures/shown';
import type { Scene } from '../figures/scene';
import { useEnv } from './env';
import { FigureMenu } from './figure-menu';

/** The model view's figure; `rows` are its heads as they stand there. */
export function ModelFigure({ rows }: { rows: () => readonly ModelRow[] }) {
  const { state } = useEnv();
  const said = useMissing();
  const title = `${state.trace.value?.model ?? ''} · ${state.shown.value?.sequences[0]?.text ?? ''}`;
  return (
    <FigureMenu
      part="model"
      scene={width => said(modelScene(state, title, width, rows()))}
      rows={() => modelRows(state, rows())}
    />
  );
}

/** The head view's figure: its lines, or its matrix. */
export function HeadFigure() {
  const { state } = useEnv();
  const said = useMissing();
  const title = useTitle();
  return (
    <FigureMenu
      part="head"
      scene={width => {
        const colours = headColours(state.site.value?.heads ?? 1, false);
        const colourOf = (head: number): string => colours[head % colours.length] ?? '';
        return said(headScene(state, title, width, colourOf));
      }}
      rows={() => headRows(state)}
    />
  );
}

/** The neuron view's figure: the shown query, taken apart. */
export function NeuronFigure() {
  const { state } = useEnv();
  const said = useMissing();
  const title = useTitle();
  return (
    <FigureMenu
      part="neuron"
      scene={width => said(neuronScene(state, title, width))}
      rows={() => neuronRows(state)}
    />
  );
}

function useTitle(): string {
  const { state, t } = useEnv();
  const [trace, site] = [state.trace.value, state.site.value];
  const { head } = state.selection.focus.value;
  return `${trace?.model ?? ''} · ${t('layer %1 · head %2', site?.layer ?? '', head)}`;
}

/** Returns a figure, or the sentence that says why there is none. */
function useMissing(): (scene: Scene | Missing) => Scene | string {
  const { t } = useEnv();
  return scene =>
    scene === 'nothing'
      ? t('There is nothing to draw yet: the weights have not come.')
      : scene === 'long'
        ? t('A figure of more than 512 tokens cannot be read; save the numbers as CSV instead.')
        : scene;
}
