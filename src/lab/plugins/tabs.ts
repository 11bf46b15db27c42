import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { SIDEBAR } from '../notebook/notebook-session';
import { INotebookSessions } from '../notebook/notebook-sessions';
import { panelActions } from '../panels/panel-actions';
import { AttentionTab } from '../panels/attention-tab';
import { attentionIcon } from '../panels/icon';

type Tab = MainAreaWidget<AttentionTab>;

/** Arguments of the command that opens a tab. */
interface OpenArgs {
  /** Path of the notebook; default: the active notebook. */
  path?: string;
  /** Name of the panel to copy; default: the active panel. */
  from?: string;
  /** Name of a stored panel to restore after a reload. */
  name?: string;
}

export const tabsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'attnlab:tabs',
  description: 'Opens additional panels of a notebook in the main area.',
  autoStart: true,
  requires: [INotebookTracker, INotebookSessions],
  optional: [ILabShell, ILayoutRestorer, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    sessions: INotebookSessions,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    if (!shell) {
      return; // Notebook 7 shows only one document, the notebook.
    }
    const trans = (translator ?? nullTranslator).load('attnlab');
    const { commands } = app;
    const command = CommandIDs.openPanel;
    const tabs = new WidgetTracker<Tab>({ namespace: 'attnlab-panels' });
    const host = { trans, actions: panelActions(commands) };
    const nameOf = ({ content }: Tab) => `${content.session.panel.context.path}:${content.name}`;
    const current = () => tabs.find(tab => tab === shell.currentWidget);

    commands.addCommand(command, {
      label: trans.__('Open Attention in the Main Area'),
      caption: trans.__('Open another attention panel beside the notebook'),
      icon: attentionIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            path: { type: 'string', description: trans.__('The path of an open notebook') },
            from: { type: 'string', description: trans.__('The panel to copy') },
            name: { type: 'string', description: trans.__('The saved panel to restore') }
          }
        }
      },
      isEnabled: () => current() !== undefined || notebooks.currentWidget !== null,
      execute: async args => {
        const { path, from, name } = args as OpenArgs;
        const active = path === undefined ? current() : undefined;
        const panel =
          active?.content.session.panel ??
          (path === undefined ? notebooks.currentWidget : await opened(notebooks, path));
        if (!panel) {
          // The layout restorer drops a panel that cannot be restored.
          throw new Error(trans.__('The notebook %1 is not open.', path ?? ''));
        }
        const session = sessions.of(panel);
        const origin = from ?? active?.content.name ?? SIDEBAR;
        const panelName = name ?? session.freeName;
        session.open(panelName, name === undefined ? session.state(origin) : undefined);
        const content = new AttentionTab(session, panelName, host);
        const tab = new MainAreaWidget({ content });
        content.node.setAttribute('aria-label', content.title.label);
        const beside = tabs.find(
          other => other.content.session === session && other.content.name === origin
        );
        shell.add(tab, 'main', {
          ref: (beside ?? panel).id,
          mode: 'split-right',
          activate: name === undefined,
          type: 'Attention'
        });
        panel.context.pathChanged.connect(() => void tabs.save(tab), tab);
        await tabs.add(tab);
      }
    });
    palette?.addItem({ command, category: trans.__('Attention') });
    const notify = () => {
      commands.notifyCommandChanged(command);
    };
    notebooks.currentChanged.connect(notify);
    tabs.currentChanged.connect(notify);

    void restorer?.restore(tabs, {
      command,
      name: nameOf,
      args: ({ content: { session, name } }) => ({ path: session.panel.context.path, name })
    });
  }
};

/** Returns the notebook at a path; waits for it while the page restores its notebooks. */
async function opened(
  notebooks: INotebookTracker,
  path: string
): Promise<NotebookPanel | undefined> {
  const find = () => notebooks.find(({ context }) => context.path === path);
  if (find()) {
    return find();
  }
  await new Promise<void>(resolve => {
    const look = () => {
      if (find()) {
        notebooks.widgetAdded.disconnect(look);
        resolve();
      }
    };
    notebooks.widgetAdded.connect(look);
    // All notebooks are restored, so it will not be opened.
    void notebooks.restored.then(() => {
      notebooks.widgetAdded.disconnect(look);
      resolve();
    });
  });
  return find();
}
