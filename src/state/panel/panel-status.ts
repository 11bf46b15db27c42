import type { DocumentPhase } from '../kernel/document-phase';
import type { ConnectionState, Status } from '../kernel/status';
import * as messages from '../kernel/user-messages';
import type { UserMessage } from '../kernel/user-messages';

/** The state of a trial text. */
export interface TrialState {
  /** The newest trial trace; null before the first arrives. */
  trace: string | null;
  /** Whether the newest text is being computed, is shown, or failed. */
  state: 'asking' | 'shown' | 'failed';
}

/** The state that a status depends on. */
export interface StatusInputs {
  /** A status from the host (a missing package), or the reason why the kernel was lost. */
  hostStatus: Status | null;
  reach: ConnectionState;
  waiting: boolean;
  /** The message about a running cell; null if none is running. */
  running: UserMessage | null;
  problem: { title: string; remedy: string } | null;
  shown: boolean;
  /** State of the trial text if one is shown, otherwise null. */
  tried: TrialState['state'] | null;
  /** Whether the cell's text is shown; null if its edits are not known. */
  phase: DocumentPhase | null;
  /** Why the cell's text cannot be shown without running it. */
  reason: UserMessage | null;
  /** Whether the model's parameters have changed since the trace was computed. */
  outdated: boolean;
}

const TRIED: Record<TrialState['state'], Status> = {
  shown: { kind: 'tried', message: messages.SHOWS_TRIAL },
  asking: { kind: 'computing', message: messages.TRIAL_PENDING },
  failed: { kind: 'stale', message: messages.TRIAL_OUTDATED }
};

/** Returns the applicable status with the highest priority. */
export function panelStatus(now: StatusInputs): Status {
  if (now.reach === 'detached' && now.hostStatus) {
    return now.hostStatus;
  }
  if (now.waiting) {
    return { kind: 'waiting', message: messages.BUSY };
  }
  if (now.reach === 'starting') {
    if (now.hostStatus?.kind === 'waiting') {
      return now.hostStatus;
    }
    return { kind: 'starting', message: messages.REACHING };
  }
  if (now.running) {
    return { kind: 'running', ...now.running };
  }
  if (now.problem) {
    const { title, remedy } = now.problem;
    return { kind: now.shown ? 'stale' : 'none', message: title, remedy };
  }
  if (now.shown) {
    return (
      (now.tried ? TRIED[now.tried] : edited(now)) ?? {
        kind: 'ready',
        message: messages.SHOWS_NEWEST_RUN
      }
    );
  }
  return now.hostStatus ?? { kind: 'none', message: messages.NOTHING_RAN };
}

/** Returns the status of a trace whose cell may have been edited; null if it is up to date. */
function edited({ phase, reason, outdated }: StatusInputs): Status | null {
  const remedy = messages.RUN_TO_UPDATE;
  switch (phase) {
    case 'waiting':
      return { kind: 'waiting', message: messages.EDIT_WAITS };
    case 'computing':
      return { kind: 'computing', message: messages.EDIT_PENDING };
    case 'stale':
      // The reason from the kernel includes the remedy.
      return reason === null
        ? { kind: 'stale', message: messages.TEXT_CHANGED, remedy }
        : { kind: 'stale', ...reason };
    default:
      if (outdated) {
        return { kind: 'stale', message: messages.MODEL_CHANGED, remedy };
      }
      return phase === 'live' ? { kind: 'live', message: messages.FOLLOWS_EDITS } : null;
  }
}
