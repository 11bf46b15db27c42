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

import { isTagged } from './attention-tag';
import { CommandIDs } from './commands';
import { editorExtension } from './editor-extension';
import { hoverAtCaret } from './editor-hover';
import { ILiveSettings, LiveSettings } from './live-settings';
import { LiveStatus } from './live-status';
import { followByDefault, followsEdits, setFollowsEdits } from './live-switch';
import type { NotebookSession } from './notebook-session';
import { INotebookSessions } from './notebook-sessions';

const ID = 'attnlab:live';

export const livePlugin: JupyterFrontEndPlugin<LiveSettings> = {
  id: ID,
  description: 'Has the views follow the text of tagged cells as it is typed.',
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
        const [limit, delay] = [settings.limit.value, settings.delay.value];
        followByDefault(settings.live.value);
        untracked(() => {
          session.documents.limit.value = limit;
          session.documents.delay.value = delay;
          session.updateLive();
        });
      });
      session.disposed.connect(stop);
    };
    tracker.forEach(panel => follow(sessions.of(panel)));
    tracker.widgetAdded.connect((_, panel) => follow(sessions.of(panel)));
    registry?.load(ID).then(
      loaded => settings.follow(loaded),
      (error: unknown) => {
        console.warn('attnlab: its settings cannot be read; the defaults hold.', error);
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
      const model = tracker.activeCell?.model;
      return model && isTagged(model) ? model : null;
    };
    const isToggled = () => {
      const model = tagged();
      return model !== null && followsEdits(model);
    };
    commands.addCommand(command, {
      label: trans.__('Update Attention While Typing'),
      caption: trans.__('Whether the views follow the text of this cell as it is typed'),
      describedBy: { args: { type: 'object', properties: {} } },
      isToggleable: true,
      isToggled,
      isEnabled: () => tagged() !== null,
      isVisible: () => tagged() !== null,
      execute: () => {
        const model = tagged();
        if (model) {
          setFollowsEdits(model, !followsEdits(model));
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
        const place = editor && sessions.placeOf(editor.model.sharedModel);
        if (place && editor instanceof CodeMirrorEditor) {
          // From the palette or a menu, which have taken the focus.
          editor.focus();
          await hoverAtCaret(editor.editor, place, trans);
        }
      }
    });
    for (const own of [command, CommandIDs.showAtCaret]) {
      palette?.addItem({ command: own, category: trans.__('Attention') });
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
