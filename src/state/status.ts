import type { Phase } from './document';
import type { Tried } from './follower';

/** What the panel says about itself; always true, in a word (`kind`) and a sentence. */
export interface Status {
  kind: StatusKind;
  /** One sentence, untranslated. */
  message: string;
  /** The way out, where there is one: a sentence, or a command to type. */
  remedy?: string;
}

export type StatusKind =
  | 'none' // nothing has been watched yet
  | 'starting' // the kernel's side is being reached
  | 'waiting' // the kernel does not answer for now
  | 'running' // the watched cell runs
  | 'computing' // an edited text is on its way to the picture
  | 'ready' // the picture is of the newest run
  | 'live' // the same, and it follows the text as it is typed
  | 'tried' // the picture is of a text that is not the cell's
  | 'stale' // the picture is of an older run or text
  | 'dead'; // the kernel is gone

/** How far the panels are with reaching a kernel. */
export type Reach = 'detached' | 'starting' | 'attached';

/** What a status depends on. */
export interface Circumstances {
  /** Said by the host (a missing package) or left by a kernel that is gone. */
  word: Status | null;
  reach: Reach;
  waiting: boolean;
  running: boolean;
  problem: { title: string; remedy: string } | null;
  shown: boolean;
  /** How far a text that is tried is, where the picture is of such; else null. */
  tried: Tried['state'] | null;
  /** How far the picture is with the cell's text; null where its edits are not known. */
  phase: Phase | null;
  /** Why the cell's text cannot be shown without running it. */
  reason: string | null;
  /** Whether the model's parameters have changed since. */
  outdated: boolean;
}

const TRIED: Record<Tried['state'], Status> = {
  shown: { kind: 'tried', message: 'The picture is of the text that is tried, not of the cell.' },
  asking: { kind: 'computing', message: 'The text that is tried is on its way.' },
  failed: { kind: 'stale', message: 'The picture is of a text that was tried before.' }
};

/** The status that comes first among those that hold. */
export function statusOf(now: Circumstances): Status {
  if (now.reach === 'detached' && now.word) {
    return now.word;
  }
  if (now.waiting) {
    return { kind: 'waiting', message: 'The kernel is busy; waiting for it.' };
  }
  if (now.reach === 'starting') {
    if (now.word?.kind === 'waiting') {
      return now.word;
    }
    return { kind: 'starting', message: 'Reaching attnlab in the kernel.' };
  }
  if (now.running) {
    return { kind: 'running', message: 'The cell is running.' };
  }
  if (now.problem) {
    const { title, remedy } = now.problem;
    return { kind: now.shown ? 'stale' : 'none', message: title, remedy };
  }
  if (now.shown) {
    return (
      (now.tried ? TRIED[now.tried] : edited(now)) ?? {
        kind: 'ready',
        message: 'The picture is of the newest run.'
      }
    );
  }
  return now.word ?? { kind: 'none', message: 'No watched cell has run yet.' };
}

/** What there is to say of a picture whose cell may have been edited since. */
function edited({ phase, reason, outdated }: Circumstances): Status | null {
  const remedy = 'Run the cell to update.';
  switch (phase) {
    case 'waiting':
      return { kind: 'waiting', message: 'The text has changed; waiting for the kernel.' };
    case 'computing':
      return { kind: 'computing', message: 'The edited text is on its way.' };
    case 'stale':
      // The kernel's reason names the way out itself.
      return reason === null
        ? { kind: 'stale', message: 'The cell has another text.', remedy }
        : { kind: 'stale', message: reason };
    default:
      if (outdated) {
        return { kind: 'stale', message: 'The model has changed since.', remedy };
      }
      return phase === 'live'
        ? { kind: 'live', message: 'The picture follows the text as it is typed.' }
        : null;
  }
}
