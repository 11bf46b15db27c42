import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';

import { NotebookSession } from '../notebook/notebook-session';
import { INotebookSessions, NotebookSessions } from '../notebook/notebook-sessions';

export const sessionsPlugin: JupyterFrontEndPlugin<INotebookSessions> = {
  id: 'attnlab:sessions',
  description: 'Connects each notebook to the attnlab backend in its kernel.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IStateDB],
  provides: INotebookSessions,
  activate: (_app, tracker: INotebookTracker, db: IStateDB | null) =>
    new NotebookSessions(tracker, panel => new NotebookSession(panel, db))
};
