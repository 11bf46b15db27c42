import type { StatusKind } from './status';

/** Whether the views show the current text of a cell. */
export type DocumentPhase =
  | 'live' // the views show the current text
  | 'computing' // the current text is being computed
  | 'stale' // the views show an older text
  | 'running' // the views show a run of the cell that has not ended
  | 'waiting' // the kernel does not respond, or runs a cell
  | 'paused' // no view is open
  | 'off'; // the views show the current text but do not follow edits

/** The state that the phase of a document depends on. */
export interface PhaseInputs {
  /** Whether any view is open. */
  watched: boolean;
  /** Whether edits are sent to the kernel. */
  live: boolean;
  /** Whether the views show the current text. */
  current: boolean;
  /** Whether the text cannot be shown without running the cell. */
  refused: boolean;
  /** The status while there is no backend; null with a backend. */
  missing: StatusKind | null;
  /** Whether a request is overdue. */
  overdue: boolean;
  /** Whether a watched cell is running. */
  running: boolean;
  /** Whether the views show a run of the cell that has not ended. */
  unfinished: boolean;
  /** Whether the current text is being computed. */
  busy: boolean;
}

/** Returns the phase of a document. */
export function documentPhase(now: PhaseInputs): DocumentPhase {
  if (!now.watched) {
    return 'paused';
  }
  if (now.unfinished && now.missing === null) {
    return now.overdue ? 'waiting' : 'running';
  }
  if (now.current && (!now.live || now.refused)) {
    return 'off';
  }
  if (!now.live || now.missing === 'dead' || now.missing === 'none') {
    return 'stale';
  }
  if (now.missing !== null || now.overdue) {
    return 'waiting';
  }
  if (now.current) {
    return 'live';
  }
  return now.running ? 'waiting' : now.busy ? 'computing' : 'stale';
}
