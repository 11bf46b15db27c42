import type { ReadonlySignal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Palette } from '../draw/palette';
import type { PanelState } from '../state/panel';

/** What a host can do for the panel; what it cannot is not offered. */
export interface PanelActions {
  /** Tags the active cell so that it is watched. */
  tagCell?: () => void;
  /** Puts text on the clipboard. */
  copy?: (text: string) => void;
  /** Opens another panel like this one beside the notebook. */
  open?: () => void;
}

/** What every view is given. */
export interface Env {
  state: PanelState;
  /** Translates; `%1`, `%2`, … in the translation stand for the values. */
  t: (text: string, ...values: (string | number)[]) => string;
  actions: PanelActions;
  /** Whether a cell is still there: the prompt of one that is gone names nothing. */
  hasCell: (cell: string) => boolean;
  /** The theme's colours and the screen's pixels, new whenever either changes. */
  palette: ReadonlySignal<Palette>;
}

export const EnvContext = createContext<Env | null>(null);

/** The environment of the panel that a view stands in. */
export function useEnv(): Env {
  const env = useContext(EnvContext);
  if (!env) {
    throw new Error('A view of attnlab stands outside a panel.');
  }
  return env;
}

/** `text` with `%1`, `%2`, … replaced by values. */
export function filled(text: string, values: readonly (string | number)[]): string {
  return text.replace(/%(\d)/g, (all, n: string) => String(values[Number(n) - 1] ?? all));
}
