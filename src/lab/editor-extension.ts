import type { Extension } from '@codemirror/state';
import { Compartment } from '@codemirror/state';
import { ViewPlugin, type EditorView } from '@codemirror/view';

import type { TranslationBundle } from '@jupyterlab/translation';

import type { CellPlace } from './cell-place';
import { editorHover } from './editor-hover';
import { editorMarks } from './editor-marks';
import type { MarkOptions } from './marks';
import type { INotebookSessions } from './notebook-sessions';

/**
 * Makes what each editor gets: nothing, unless it is of a notebook's cell.
 *
 * An editor is made before its cell is in the notebook, so that is looked for in the next
 * frame, and again whenever the editor is given the focus.
 */
export function editorExtension(
  sessions: INotebookSessions,
  options: () => MarkOptions,
  trans: TranslationBundle
): (shared: object) => Extension {
  return shared => {
    const own = new Compartment();
    const attach = (view: EditorView) => {
      const place: CellPlace | null = sessions.placeOf(shared);
      if (place) {
        const extension = [editorMarks(place, options), editorHover(place, trans)];
        view.dispatch({ effects: own.reconfigure(extension) });
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
    return [own.of([]), finder];
  };
}
