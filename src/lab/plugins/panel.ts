import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import type { NotebookSession } from '../notebook/notebook-session';
import { INotebookSessions } from '../notebook/notebook-sessions';
import { panelActions } from '../panels/panel-actions';
import { AttentionPanel } from '../panels/attention-panel';
import { attentionIcon } from '../panels/icon';

const ID = 'attnlab:panel';

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Shows the attention of the active notebook in the right sidebar.',
  autoStart: true,
  requires: [INotebookTracker, INotebookSessions],
  optional: [ILayoutRestorer, ICommandPalette, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    sessions: INotebookSessions,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('attnlab');
    const { commands, shell } = app;
    const actions = panelActions(commands);
    const panel = new AttentionPanel(tracker, sessions, { trans, actions });
    shell.add(panel, 'right', { rank: 900, type: 'Attention' });
    restorer?.add(panel, panel.id);

    commands.addCommand(CommandIDs.showPanel, {
      label: trans.__('Show Attention'),
      icon: attentionIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        shell.activateById(panel.id);
      }
    });
    palette?.addItem({ command: CommandIDs.showPanel, category: trans.__('Attention') });

    let reveals = true;
    const follow = (settings: ISettingRegistry.ISettings) => {
      const update = () => {
        reveals = settings.get('openOnRun').composite !== false;
      };
      settings.changed.connect(update);
      update();
    };
    registry?.load(ID).then(follow, (error: unknown) => {
      console.warn('attnlab: failed to read the settings; using the defaults.', error);
    });
    // Once per notebook: a user who then closes the panel wants it closed.
    const revealed = new WeakSet<NotebookSession>();
    sessions.scheduled.connect((_, session) => {
      if (reveals && !revealed.has(session) && !panel.isVisible) {
        shell.activateById(panel.id);
      }
      revealed.add(session);
    });
  }
};
