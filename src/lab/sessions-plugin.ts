import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { NotebookSession } from './notebook-session';
import { INotebookSessions, NotebookSessions } from './notebook-sessions';

export const sessionsPlugin: JupyterFrontEndPlugin<INotebookSessions> = {
  id: 'attnlab:sessions',
  description: "Ties each notebook to attnlab's backend in its kernel.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IStateDB, ITranslator],
  provides: INotebookSessions,
  activate: (
    _app,
    tracker: INotebookTracker,
    db: IStateDB | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('attnlab');
    return new NotebookSessions(tracker, panel => new NotebookSession(panel, trans, db));
  }
};
