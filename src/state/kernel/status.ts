import type { UserMessage } from './user-messages';

/** The status of a panel: one word (`kind`) and a message. */
export interface Status extends UserMessage {
  kind: StatusKind;
}

export type StatusKind =
  | 'none' // nothing has been watched yet
  | 'starting' // connecting to the kernel
  | 'waiting' // the kernel does not respond
  | 'running' // the watched cell is running
  | 'computing' // an edited text is being computed
  | 'ready' // the panel shows the newest run
  | 'live' // the same, and the panel updates while typing
  | 'tried' // the panel shows a trial text
  | 'stale' // the panel shows an older run or text
  | 'dead'; // the kernel is no longer available

/** The state of the connection to a kernel. */
export type ConnectionState = 'detached' | 'starting' | 'attached';
