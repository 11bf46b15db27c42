import type { TranslationBundle } from '@jupyterlab/translation';

import { mountPanel, type PanelActions } from '../views';
import type { NotebookSession } from './notebook-session';

/** What JupyterLab does for panels. */
export interface PanelHost {
  trans: TranslationBundle;
  /** What a person can do from a notebook's panel of this name. */
  actions: (session: NotebookSession, name: string) => PanelActions;
}

/** Draws one of a notebook's panels into an element; returns what takes it out again. */
export function drawPanel(
  into: HTMLElement,
  session: NotebookSession,
  name: string,
  { trans, actions }: PanelHost
): () => void {
  const until = new AbortController();
  mountPanel(into, session.state(name), {
    // The views know their strings, not where translations come from; they fill in the
    // values themselves, so each placeholder stands for itself.
    // eslint-disable-next-line @jupyter/no-dynamic-translation
    translate: text => trans.__(text, '%1', '%2', '%3', '%4'),
    hasCell: cell => session.hasCell(cell),
    actions: actions(session, name),
    signal: until.signal
  });
  return () => {
    until.abort();
  };
}
