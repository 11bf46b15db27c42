import type { ReadonlySignal } from '@preact/signals-core';
import type { Source, TraceSummary } from '../../protocol/messages';
import type { MonitoredBackend } from './monitored-backend';
import type { Status } from './status';

/** The state that a document depends on. */
export interface DocumentContext {
  backend: ReadonlySignal<MonitoredBackend | null>;
  /** Whether any view is open. */
  watched: ReadonlySignal<boolean>;
  /** Whether a view shows this cell. */
  shown: ReadonlySignal<boolean>;
  /** The status while there is no backend. */
  hostStatus: ReadonlySignal<Status | null>;
  /** Whether a watched cell is running. */
  running: ReadonlySignal<boolean>;
  /** The newest trace of a run of this cell that has not ended. */
  unfinished: ReadonlySignal<TraceSummary | null>;
  /** The text that the views show. */
  source: ReadonlySignal<Source | null>;
  /** Maximum number of tokens that are passed through a model while typing. */
  limit: ReadonlySignal<number>;
  /** Milliseconds to wait after the last keystroke. */
  delay: ReadonlySignal<number>;
  /** Requests the whole state of the kernel, because a push was lost. */
  resync: () => void;
}
