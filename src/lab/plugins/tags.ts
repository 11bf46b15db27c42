import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { CommandIDs } from '../commands';
import { isTagged, setTagged } from '../notebook/attention-tag';
import { INotebookSessions } from '../notebook/notebook-sessions';
import { attentionIcon } from '../panels/icon';
import { TagMarks } from './tag-marks';

export const tagsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'attnlab:tags',
  description: 'Tags the cells whose attention is recorded, and marks them.',
  autoStart: true,
  requires: [INotebookTracker, INotebookSessions],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    sessions: INotebookSessions,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('attnlab');
    const { commands } = app;
    const command = CommandIDs.toggleTag;
    const notebookOf = ({ path }: ReadonlyPartialJSONObject) =>
      path === undefined
        ? tracker.currentWidget
        : (tracker.find(({ context }) => context.path === path) ?? null);
    const activeCode = (args: ReadonlyPartialJSONObject) => {
      const cell = notebookOf(args)?.content.activeCell;
      return cell?.model.type === 'code' ? cell : null;
    };
    const isToggled = (args: ReadonlyPartialJSONObject) => {
      const cell = activeCode(args);
      return cell !== null && isTagged(cell.model);
    };

    commands.addCommand(command, {
      label: args =>
        // The toolbar of a cell shows only the icon.
        args.toolbar === true ? '' : trans.__('Watch Attention of This Cell'),
      caption: args =>
        isToggled(args)
          ? trans.__('Stop watching the attention of this cell')
          : trans.__('Watch the attention of models that run in this cell'),
      icon: attentionIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            toolbar: {
              type: 'boolean',
              description: trans.__('Whether the command is shown in a toolbar')
            },
            path: { type: 'string', description: trans.__('The path of an open notebook') }
          }
        }
      },
      isToggleable: true,
      isToggled,
      isEnabled: args => activeCode(args) !== null,
      isVisible: args => activeCode(args) !== null,
      execute: async args => {
        const cell = activeCode(args);
        const panel = notebookOf(args);
        if (!cell || !panel) {
          return;
        }
        const tagged = !isTagged(cell.model);
        setTagged(cell.model, tagged);
        if (tagged) {
          sessions.of(panel).start();
          await commands.execute(CommandIDs.showPanel);
        }
      }
    });
    palette?.addItem({ command, category: trans.__('Attention') });

    const notify = () => {
      commands.notifyCommandChanged(command);
    };
    const marks = new WeakMap<NotebookPanel, TagMarks>();
    const mark = (panel: NotebookPanel) => {
      const tagMarks = new TagMarks(panel, trans);
      marks.set(panel, tagMarks);
      tagMarks.changed.connect(notify);
    };
    tracker.forEach(mark);
    tracker.widgetAdded.connect((_, panel) => {
      mark(panel);
    });
    tracker.activeCellChanged.connect(notify);
  }
};
