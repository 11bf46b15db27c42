import { computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Problem, TraceSummary } from '../../protocol/messages';
import type { CellDocument } from '../kernel/cell-document';
import type { Status } from '../kernel/status';
import { AT_LINE } from '../kernel/user-messages';
import type { KernelSession } from '../kernel/kernel-session';
import { isUnfinished, runMessage } from '../kernel/unfinished-run';
import { lineOf } from '../text/edits';
import { panelStatus, type TrialState } from './panel-status';

/** The pinned cell and the selected model call of a panel; stored. */
export interface SavedFollower {
  pinned: string | null;
  picked: PickedCall | null;
}

/** One model call of a cell, in any run. */
interface PickedCall {
  cell: string;
  call: number;
}

/**
 * Selects the trace that one panel shows, and its status.
 *
 * It is a trace of the cell that ran last, or of the cell that the panel is pinned to.
 */
export class TraceFollower {
  /** The pinned cell; null to follow the cell that ran last. */
  readonly pinned: ReadonlySignal<string | null>;
  /** The trace to show: of the pinned cell, otherwise of the cell that ran last. */
  readonly current: ReadonlySignal<TraceSummary | null>;
  /** The same, ignoring a trial text: the trace of the cell's text. */
  readonly cellTrace: ReadonlySignal<TraceSummary | null>;
  readonly trial: ReadonlySignal<TrialState | null>;
  /** All model calls of the shown trace's run, in order. */
  readonly calls: ReadonlySignal<readonly TraceSummary[]>;
  /** Why the newest run of the shown cell left no trace. */
  readonly problem: ReadonlySignal<Problem | null>;
  /** The document of the shown cell, if its edits are known. */
  readonly document: ReadonlySignal<CellDocument | null>;
  /** Whether the shown trace is of an older text than the cell has now. */
  readonly edited: ReadonlySignal<boolean>;
  /** Whether the shown trace is of an older text, an older run or a lost kernel. */
  readonly stale: ReadonlySignal<boolean>;
  readonly status: ReadonlySignal<Status>;

  private readonly keeps = signal<string | null>(null);
  private readonly picked = signal<PickedCall | null>(null);
  private readonly tries = signal<TrialState | null>(null);

  constructor(private readonly session: KernelSession) {
    const { traces, problems, running, last, phase, hostStatus, backend } = session;
    const { keeps: pinned, picked } = this;
    this.pinned = pinned;
    const cell = computed(() => {
      const ran = traces.value.some(trace => trace.cell === last.value)
        ? last.value
        : traces.value.at(-1)?.cell;
      return pinned.value ?? ran ?? null;
    });
    this.calls = computed(() =>
      traces.value
        .filter(trace => trace.cell === cell.value && !trace.trial)
        // A repeated call has a newer trace than the calls after it.
        .sort((a, b) => a.execution - b.execution || a.call - b.call)
    );
    this.trial = this.tries;
    this.cellTrace = computed(() => {
      const call = picked.value?.cell === cell.value ? picked.value.call : undefined;
      const calls = this.calls.value;
      return calls.find(trace => trace.call === call) ?? calls.at(-1) ?? null;
    });
    this.current = computed(() => {
      const cellTrace = this.cellTrace.value;
      return this.trialOf(cellTrace) ?? cellTrace;
    });
    this.problem = computed(() => {
      const other = pinned.value ? null : last.value;
      return (
        problems.value.find(problem => problem.cell === other) ??
        problems.value.find(problem => problem.cell === cell.value) ??
        null
      );
    });
    const { documents } = session;
    this.document = computed(() => documents.document(this.current.value?.cell ?? '') ?? null);
    const source = computed(
      () => documents.sources.value.get(this.current.value?.cell ?? '') ?? null
    );
    const unfinished = computed(() => {
      const current = this.current.value;
      return current && isUnfinished(current, running.value, source.value) ? current : null;
    });
    const outdated = computed(() => !unfinished.value && (source.value?.outdated ?? false));
    this.edited = computed(() => {
      const document = this.document.value;
      return document !== null && !unfinished.value && !document.current.value;
    });
    this.stale = computed(() => {
      const [current, problem] = [this.current.value, this.problem.value];
      if (current?.trial) {
        return phase.value !== 'attached' || this.tries.value?.state !== 'shown';
      }
      if (current && (this.edited.value || outdated.value)) {
        return true;
      }
      // One run may have both a recorded call and one that failed to be recorded.
      const older = problem?.cell !== current?.cell || problem?.execution !== current?.execution;
      return current !== null && (phase.value !== 'attached' || (problem !== null && older));
    });
    this.status = computed(() => {
      const document = this.document.value;
      const refused = document?.refused.value;
      const line = document && refused && lineOf(document.text.value, refused.span.start);
      return panelStatus({
        hostStatus: hostStatus.value,
        reach: phase.value,
        waiting: backend.value?.isOverdue.value ?? false,
        running:
          running.value !== null && (pinned.value ?? running.value) === running.value
            ? runMessage(unfinished.value?.cell === running.value ? unfinished.value : null)
            : null,
        problem: this.stale.value || !this.current.value ? this.problem.value : null,
        shown: this.current.value !== null,
        tried: this.current.value?.trial ? (this.tries.value?.state ?? null) : null,
        phase: document?.phase.value ?? null,
        reason: refused ? { message: AT_LINE, values: [line ?? 0, refused.message] } : null,
        outdated: outdated.value
      });
    });
  }

  /** Shows the trace of a trial text; null to show the cell's trace again. */
  showTrial(tried: TrialState | null): void {
    this.tries.value = tried;
  }

  /** The trial trace that replaces a cell's trace. */
  private trialOf(cellTrace: TraceSummary | null): TraceSummary | undefined {
    const tried = this.tries.value;
    if (!tried || !cellTrace) {
      return undefined;
    }
    const held = this.session.traces.value.filter(
      trace => trace.trial && trace.cell === cellTrace.cell && trace.call === cellTrace.call
    );
    // The new trace arrives before the reply with its id, and replaces the previous one.
    return (
      held.find(({ id }) => id === tried.trace) ??
      (tried.state === 'asking' ? held.at(-1) : undefined)
    );
  }

  /** Pins the panel to a cell; null to follow the cell that ran last. */
  pin(cell: string | null): void {
    this.keeps.value = cell;
  }

  /** Selects a model call of the cell, also in later runs; null for the last call. */
  pick(trace: string | null): void {
    const found = this.session.traces.peek().find(({ id }) => id === trace);
    this.picked.value = found ? { cell: found.cell, call: found.call } : null;
  }

  toJSON(): SavedFollower {
    return { pinned: this.keeps.value, picked: this.picked.value };
  }

  /** Restores the stored fields that are present. */
  restore({ pinned = null, picked = null }: Partial<SavedFollower>): void {
    this.keeps.value = pinned;
    this.picked.value = picked;
  }
}
