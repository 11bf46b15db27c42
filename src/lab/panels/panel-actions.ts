import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';

import { CommandIDs } from '../commands';
import type { PanelHost } from './host';

/** Returns the actions of a panel for which this front end has commands. */
export function panelActions(commands: JupyterFrontEnd['commands']): PanelHost['actions'] {
  return (session, from) => ({
    tagCell: () => {
      const { path } = session.panel.context;
      void commands.execute(CommandIDs.toggleTag, { path });
    },
    copy: text => {
      Clipboard.copyToSystem(text);
    },
    ...(commands.hasCommand(CommandIDs.openPanel) && {
      open: () => {
        const { path } = session.panel.context;
        void commands.execute(CommandIDs.openPanel, { path, from });
      }
    })
  });
}
