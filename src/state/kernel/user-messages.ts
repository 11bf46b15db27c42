/**
 * All messages about a kernel, its cells and their views, each defined once and untranslated.
 * They are passed on untranslated, and translated where they are shown.
 */

/** A message with the values of its placeholders `%1`, `%2`, …, and how to fix the problem, if known. */
export interface UserMessage {
  message: string;
  values?: readonly (string | number)[];
  /** A sentence, or a command to type. */
  remedy?: string;
}

/** One-word labels of the state of a panel, or of all views of a cell. */
export const STATUS_LABELS = {
  none: 'idle',
  starting: 'starting',
  waiting: 'waiting',
  running: 'running',
  computing: 'computing',
  ready: 'ready',
  live: 'live',
  tried: 'trial text',
  stale: 'stale',
  dead: 'dead',
  paused: 'paused',
  off: 'off'
};

// While connecting to a kernel.
export const REACHING = 'Connecting to attnlab in the kernel.';
export const STARTING = 'Starting attnlab in the kernel.';
export const BUSY = 'The kernel is busy; waiting for it.';
export const DISCONNECTED = 'Lost the connection to the kernel; waiting for it to reconnect.';
export const MAYBE_RESTARTED = 'The kernel may have restarted; checking.';
export const NOT_RESPONDING = 'The kernel is not responding; checking.';

// Why there is no backend.
export const KERNEL_GONE = 'The kernel is not available.';
export const RESTARTED = 'The kernel was restarted; run the cell again.';
export const SHUT_DOWN = 'The kernel was shut down; run the cell again in a new kernel.';
export const DIED = 'The kernel died; run the cell again in a new kernel.';
export const KERNEL_CHANGED = 'The kernel of the notebook was changed; run the cell again.';
export const BACKEND_CLOSED = 'The backend in the kernel was closed; run the cell again.';
export const BACKEND_REPLACED = 'The backend in the kernel was replaced; run the cell again.';
export const NOTEBOOK_CLOSED = 'The notebook was closed.';
export const VIEW_CLOSED = 'The view was closed.';
export const NO_KERNEL = 'This output is not connected to a kernel; run the cell again.';
export const NO_WIDGETS =
  'attnlab.show() needs widgets that can access each other, which this notebook application does not support.';
export const NOT_PYTHON = 'attnlab requires a Python kernel; this one runs %1.';
export const PACKAGES_MISSING = "The kernel's environment is missing %1.";
export const START_FAILED = 'attnlab failed to start in the kernel: %1';

// What the panel shows.
export const NOTHING_RAN = 'No watched cell has run yet.';
export const RUNNING = 'The cell is running.';
export const GENERATED_SO_FAR = 'generate() is running: %1 of its tokens so far.';
export const GENERATES = 'generate() is running: its steps so far are shown.';
export const SHOWS_NEWEST_RUN = 'Shows the latest run.';
export const FOLLOWS_EDITS = 'Updates as you type.';
export const EDIT_PENDING = 'Computing attention for the edited text.';
export const EDIT_WAITS = 'The text has changed; waiting for the kernel.';
export const TEXT_CHANGED = 'The text of the cell has changed.';
export const MODEL_CHANGED = 'The model has changed since this was computed.';
export const RUN_TO_UPDATE = 'Run the cell to update.';
export const AT_LINE = 'Line %1: %2';
export const SHOWS_TRIAL = 'Shows the trial text, not the text of the cell.';
export const TRIAL_PENDING = 'Computing attention for the trial text.';
export const TRIAL_OUTDATED = 'Shows an earlier trial text.';

// Whether the views of a cell show its current text.
export const VIEWS_FOLLOW = 'The views update as you type.';
export const VIEWS_COMPUTE = 'The views are being updated for the edited text.';
export const VIEWS_WAIT = 'The views will update when the kernel is free.';
export const NO_VIEW = 'No view is open, so nothing is computed; click to open one.';
export const VIEWS_STALE = 'The views show an older text; run the cell to update.';
export const NOT_RUN = 'The cell has not run yet; run it to see its attention.';
export const NOT_FOLLOWING = 'The views show this text but do not follow edits.';

// Why a word in the editor has no tokens to show.
export const SHOWS_ANOTHER = 'The panel shows another cell, or a trial text.';
export const NO_TOKENS = 'The text here is not part of the input of the model.';
export const TOKENS_FAILED = 'The kernel did not return the tokens: %1';

/**
 * Returns the message for missing packages.
 *
 * @param packages - As arguments of `pip install`.
 */
export function missingPackages(packages: readonly string[]): UserMessage {
  return { message: PACKAGES_MISSING, values: [packages.join(', ')] };
}

/** Returns an untranslated message with its values filled in. */
export function formatMessage({ message, values = [] }: UserMessage): string {
  return fillPlaceholders(message, values);
}

/** Replaces `%1`, `%2`, … in a text by values. */
export function fillPlaceholders(text: string, values: readonly (string | number)[]): string {
  return text.replace(/%(\d)/g, (all, n: string) => String(values[Number(n) - 1] ?? all));
}
