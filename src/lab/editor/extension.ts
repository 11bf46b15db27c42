import type { Extension } from '@codemirror/state';
import { Compartment } from '@codemirror/state';
import { ViewPlugin, type EditorView } from '@codemirror/view';

import type { TranslationBundle } from '@jupyterlab/translation';

import type { EditorCell } from '../notebook/editor-cell';
import type { INotebookSessions } from '../notebook/notebook-sessions';
import { editorMarks } from './decorations';
import { editorHover } from './hover';
import type { MarkOptions } from './marks';

/**
 * Returns a factory of editor extensions, which stay empty unless the editor is a notebook cell's.
 *
 * An editor is created before its cell is in the notebook. So the cell is looked up in the next
 * frame, and again whenever the editor gets focus.
 */
export function editorExtension(
  sessions: INotebookSessions,
  options: () => MarkOptions,
  trans: TranslationBundle
): (shared: object) => Extension {
  return shared => {
    const compartment = new Compartment();
    const attach = (view: EditorView) => {
      const place: EditorCell | null = sessions.cellOf(shared);
      if (place) {
        const extension = [editorMarks(place, options), editorHover(place, trans)];
        view.dispatch({ effects: compartment.reconfigure(extension) });
      }
      return place !== null;
    };
    const finder = ViewPlugin.define(view => {
      let found = false;
      const find = () => {
        found ||= attach(view);
      };
      const frame = requestAnimationFrame(find);
      view.dom.addEventListener('focusin', find);
      return {
        destroy: () => {
          cancelAnimationFrame(frame);
          view.dom.removeEventListener('focusin', find);
        }
      };
    });
    return [compartment.of([]), finder];
  };
}
