import type { TranslationBundle } from '@jupyterlab/translation';

import { mountPanel, type PanelActions } from '../../views';
import type { NotebookSession } from '../notebook/notebook-session';
import { translateFunction } from '../translate';

/** The services of JupyterLab that panels use. */
export interface PanelHost {
  trans: TranslationBundle;
  /** Returns the actions of the notebook's panel with this name. */
  actions: (session: NotebookSession, name: string) => PanelActions;
}

/** Renders a panel of a notebook into an element; returns a function that removes it. */
export function drawPanel(
  into: HTMLElement,
  session: NotebookSession,
  name: string,
  { trans, actions }: PanelHost
): () => void {
  const until = new AbortController();
  mountPanel(into, session.state(name), {
    translate: translateFunction(trans),
    hasCell: cell => session.hasCell(cell),
    actions: actions(session, name),
    signal: until.signal
  });
  return () => {
    until.abort();
  };
}
