import { neuronRows, neuronScene } from '../../figures/panel-figures';
import { useEnv } from '../parts/env';
import { FigureMenu } from '../parts/figure-menu';
import { useHeadName } from '../parts/head-name';

/** The figure of the neuron view: the score terms of the shown query. */
export function NeuronFigure() {
  const { state } = useEnv();
  const title = `${state.trace.value?.model ?? ''} · ${useHeadName()}`;
  return (
    <FigureMenu
      part="neuron"
      scene={width => neuronScene(state, title, width)}
      rows={() => neuronRows(state)}
    />
  );
}
