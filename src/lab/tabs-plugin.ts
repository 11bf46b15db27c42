import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { AttentionTab } from './attention-tab';
import { CommandIDs } from './commands';
import { attentionIcon } from './icon';
import { SIDEBAR } from './notebook-session';
import { INotebookSessions } from './notebook-sessions';
import { panelActions } from './panel-actions';

type Tab = MainAreaWidget<AttentionTab>;

/** What the command that opens a tab may be told. */
interface OpenArgs {
  /** The notebook's path; without it, the notebook that is active. */
  path?: string;
  /** Which of its panels to begin as a copy of; without it, the one that is active. */
  from?: string;
  /** The panel to bring back as it was stored; the page does so when it is loaded again. */
  name?: string;
}

export const tabsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'attnlab:tabs',
  description: 'Opens further panels of a notebook in the main area.',
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
      return; // Notebook 7 has room for one document, which is the notebook.
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
      caption: trans.__('Open another panel of the notebook beside it'),
      icon: attentionIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            path: { type: 'string', description: trans.__('The path of an open notebook') },
            from: { type: 'string', description: trans.__('The panel to begin as a copy of') },
            name: { type: 'string', description: trans.__('The stored panel to bring back') }
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
          // The layout forgets a panel that cannot be brought back.
          throw new Error(trans.__('The notebook %1 is not open.', path ?? ''));
        }
        const session = sessions.of(panel);
        const origin = from ?? active?.content.name ?? SIDEBAR;
        const own = name ?? session.freeName;
        session.open(own, name === undefined ? session.state(origin) : undefined);
        const content = new AttentionTab(session, own, host);
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

/** The notebook at a path; while a page is loaded it may come a moment later, or never. */
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
    // Once all are back that had been open, it will not come.
    void notebooks.restored.then(() => {
      notebooks.widgetAdded.disconnect(look);
      resolve();
    });
  });
  return find();
}
