import type { Source, TraceSummary } from '../../protocol/messages';
import * as messages from './user-messages';
import type { UserMessage } from './user-messages';

/**
 * Whether a trace is of a run that has not ended. Its text is unknown until then, so neither the
 * text that the cell has now nor the previous source says whether it is outdated.
 *
 * @param running - The watched cell that is running.
 * @param source - The newest source of the trace's cell.
 */
export function isUnfinished(
  trace: TraceSummary,
  running: string | null,
  source: Source | null
): boolean {
  if (trace.trial || trace.execution === source?.execution) {
    return false;
  }
  return trace.running === true || trace.cell === running;
}

/**
 * Returns the message about a running cell.
 *
 * @param trace - The trace of this run that is shown, if any.
 */
export function runMessage(trace: TraceSummary | null): UserMessage {
  if (!trace?.running) {
    return { message: messages.RUNNING };
  }
  const { generated, items, sequences } = trace;
  // The main sequence of an encoder-decoder is not generated, and rows may differ in length.
  if (generated === undefined || items > 1) {
    return { message: messages.GENERATES };
  }
  const count = (sequences[0]?.tokens.length ?? 0) - generated;
  return { message: messages.GENERATED_SO_FAR, values: [count] };
}
