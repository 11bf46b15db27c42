import type { ReadonlySignal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Palette } from '../../draw/palette';
import type { PanelState } from '../../state/panel/panel';

/** Actions of the host; the panel hides the controls of missing ones. */
export interface PanelActions {
  /** Tags the active cell, which is then watched. */
  tagCell?: () => void;
  /** Copies text to the clipboard. */
  copy?: (text: string) => void;
  /** Opens a copy of the panel beside the notebook. */
  open?: () => void;
}

/** The context of all views of a panel. */
export interface Env {
  state: PanelState;
  /** Translates a text and replaces `%1`, `%2`, … by the values. */
  t: (text: string, ...values: (string | number)[]) => string;
  actions: PanelActions;
  /** Whether a cell still exists: only then its execution count identifies it. */
  hasCell: (cell: string) => boolean;
  /** The theme's colors; a new object when the theme or the device pixel ratio changes. */
  palette: ReadonlySignal<Palette>;
}

export const EnvContext = createContext<Env | null>(null);

/** The context of the panel that contains the view. */
export function useEnv(): Env {
  const env = useContext(EnvContext);
  if (!env) {
    throw new Error('This attnlab view must be rendered inside a panel.');
  }
  return env;
}
