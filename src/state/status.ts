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
  | 'computing' // the watched cell runs
  | 'ready' // the picture is of the newest run
  | 'stale' // the newest run left no picture; an older one is shown
  | 'dead'; // the kernel is gone

/** How far the panels are with reaching a kernel. */
export type Phase = 'detached' | 'starting' | 'attached';

/** What a status depends on. */
export interface Circumstances {
  /** Said by the host (a missing package) or left by a kernel that is gone. */
  word: Status | null;
  phase: Phase;
  waiting: boolean;
  running: boolean;
  problem: { title: string; remedy: string } | null;
  shown: boolean;
}

/** The status that comes first among those that hold. */
export function statusOf(now: Circumstances): Status {
  if (now.phase === 'detached' && now.word) {
    return now.word;
  }
  if (now.waiting) {
    return { kind: 'waiting', message: 'The kernel is busy; waiting for it.' };
  }
  if (now.phase === 'starting') {
    if (now.word?.kind === 'waiting') {
      return now.word;
    }
    return { kind: 'starting', message: 'Reaching attnlab in the kernel.' };
  }
  if (now.running) {
    return { kind: 'computing', message: 'The cell is running.' };
  }
  if (now.problem) {
    const { title, remedy } = now.problem;
    return { kind: now.shown ? 'stale' : 'none', message: title, remedy };
  }
  if (now.shown) {
    return { kind: 'ready', message: 'The picture is of the newest run.' };
  }
  return now.word ?? { kind: 'none', message: 'No watched cell has run yet.' };
}
