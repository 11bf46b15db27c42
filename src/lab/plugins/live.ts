import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import {
  CodeMirrorEditor,
  EditorExtensionRegistry,
  IEditorExtensionRegistry
} from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { effect, untracked } from '@preact/signals-core';

import { CommandIDs } from '../commands';
import { editorExtension } from '../editor/extension';
import { hoverAtCaret } from '../editor/hover';
import { isTagged } from '../notebook/attention-tag';
import type { NotebookSession } from '../notebook/notebook-session';
import { INotebookSessions } from '../notebook/notebook-sessions';
import { ILiveSettings, LiveSettings } from './live-settings';
import { LiveStatus } from './live-status';

const ID = 'attnlab:live';

export const livePlugin: JupyterFrontEndPlugin<LiveSettings> = {
  id: ID,
  description: 'Updates the views while the user types in tagged cells.',
  autoStart: true,
  requires: [INotebookTracker, INotebookSessions],
  optional: [IEditorExtensionRegistry, ISettingRegistry, ICommandPalette, IStatusBar, ITranslator],
  provides: ILiveSettings,
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    sessions: INotebookSessions,
    editors: IEditorExtensionRegistry | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('attnlab');
    const { commands } = app;
    const command = CommandIDs.toggleLive;
    const settings = new LiveSettings();

    const follow = (session: NotebookSession) => {
      const stop = effect(() => {
        const [limit, delay, live] = [
          settings.limit.value,
          settings.delay.value,
          settings.live.value
        ];
        untracked(() => {
          session.documents.limit.value = limit;
          session.documents.delay.value = delay;
          session.live.followByDefault(live);
        });
      });
      session.disposed.connect(stop);
    };
    tracker.forEach(panel => follow(sessions.of(panel)));
    tracker.widgetAdded.connect((_, panel) => follow(sessions.of(panel)));
    registry?.load(ID).then(
      loaded => settings.follow(loaded),
      (error: unknown) => {
        console.warn('attnlab: failed to read the settings; using the defaults.', error);
      }
    );

    const extensionOf = editorExtension(
      sessions,
      () => ({ paint: settings.paint.value, boundaries: settings.boundaries.value }),
      trans
    );
    editors?.addExtension({
      name: ID,
      factory: ({ model }) =>
        EditorExtensionRegistry.createImmutableExtension(extensionOf(model.sharedModel))
    });

    const tagged = () => {
      const { currentWidget: panel, activeCell } = tracker;
      return panel && activeCell && isTagged(activeCell.model)
        ? { model: activeCell.model, live: sessions.of(panel).live }
        : null;
    };
    const isToggled = () => {
      const cell = tagged();
      return cell?.live.followsEdits(cell.model) ?? false;
    };
    commands.addCommand(command, {
      label: trans.__('Update Attention While Typing'),
      caption: trans.__('Update the views while typing in this cell'),
      describedBy: { args: { type: 'object', properties: {} } },
      isToggleable: true,
      isToggled,
      isEnabled: () => tagged() !== null,
      isVisible: () => tagged() !== null,
      execute: () => {
        const cell = tagged();
        if (cell) {
          const { model, live } = cell;
          live.setFollowsEdits(model, !live.followsEdits(model));
          commands.notifyCommandChanged(command);
        }
      }
    });
    commands.addCommand(CommandIDs.showAtCaret, {
      label: trans.__('Show Attention at Caret'),
      caption: trans.__('Show the tokens of the word at the caret, and what attends to them'),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => tagged() !== null,
      isVisible: () => tagged() !== null,
      execute: async () => {
        const editor = tracker.activeCell?.editor;
        const place = editor && sessions.cellOf(editor.model.sharedModel);
        if (place && editor instanceof CodeMirrorEditor) {
          // The palette or a menu may have taken the focus.
          editor.focus();
          await hoverAtCaret(editor.editor, place, trans);
        }
      }
    });
    for (const id of [command, CommandIDs.showAtCaret]) {
      palette?.addItem({ command: id, category: trans.__('Attention') });
    }
    tracker.activeCellChanged.connect(() => {
      commands.notifyCommandChanged(command);
      commands.notifyCommandChanged(CommandIDs.showAtCaret);
    });

    if (statusBar) {
      const item = new LiveStatus(tracker, sessions, trans, () => {
        void commands.execute(CommandIDs.showPanel);
      });
      statusBar.registerStatusItem(ID, {
        item,
        align: 'left',
        rank: 10,
        isActive: () => item.shown,
        activeStateChanged: item.shownChanged
      });
    }
    return settings;
  }
};
