import { computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Problem, TraceSummary } from '../protocol/messages';
import { lineOf, type Document } from './document';
import type { Session } from './session';
import { statusOf, type Status } from './status';

/** What a panel keeps to. */
export interface Followed {
  pinned: string | null;
  picked: Call | null;
}

/** One of the model calls of a cell, in whichever run. */
interface Call {
  cell: string;
  call: number;
}

/** How far a text is that is tried in place of the cell's own. */
export interface Tried {
  /** The trace that was tried last; null while none has come. */
  trace: string | null;
  /** Whether that trace is of the newest text, or that one is awaited, or has failed. */
  state: 'asking' | 'shown' | 'failed';
}

/**
 * Which of the kernel's traces one panel shows, and what there is to say about it.
 *
 * It is of the cell that ran last, or of the one that the panel is pinned to.
 */
export class Follower {
  /** The cell that the panel keeps to, whichever runs; null to follow the last one. */
  readonly pinned: ReadonlySignal<string | null>;
  /** The trace to show: of the pinned cell, else of the one that ran last. */
  readonly current: ReadonlySignal<TraceSummary | null>;
  /** The same, but for a text that is tried: the cell's own trace. */
  readonly own: ReadonlySignal<TraceSummary | null>;
  readonly tried: ReadonlySignal<Tried | null>;
  /** All calls of the shown trace's run, in order. */
  readonly calls: ReadonlySignal<readonly TraceSummary[]>;
  /** What the shown cell's newest run has failed to leave, and why. */
  readonly problem: ReadonlySignal<Problem | null>;
  /** The shown cell, where its edits are known. */
  readonly document: ReadonlySignal<Document | null>;
  /** Whether the shown picture is of an older text or run, or of a kernel that is gone. */
  readonly stale: ReadonlySignal<boolean>;
  readonly status: ReadonlySignal<Status>;

  private readonly keeps = signal<string | null>(null);
  private readonly picked = signal<Call | null>(null);
  private readonly tries = signal<Tried | null>(null);

  constructor(private readonly session: Session) {
    const { traces, problems, running, last, phase, word, backend } = session;
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
        .filter(trace => trace.cell === cell.value && !trace.tried)
        // A call that was made again is newer than those after it.
        .sort((a, b) => a.execution - b.execution || a.call - b.call)
    );
    this.tried = this.tries;
    this.own = computed(() => {
      const call = picked.value?.cell === cell.value ? picked.value.call : undefined;
      const calls = this.calls.value;
      return calls.find(trace => trace.call === call) ?? calls.at(-1) ?? null;
    });
    this.current = computed(() => {
      const own = this.own.value;
      return this.triedInstead(own) ?? own;
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
    const outdated = computed(
      () => documents.sources.value.get(this.current.value?.cell ?? '')?.outdated ?? false
    );
    const edited = computed(() => {
      const document = this.document.value;
      return document !== null && !document.current.value;
    });
    this.stale = computed(() => {
      const [current, problem] = [this.current.value, this.problem.value];
      if (current?.tried) {
        return phase.value === 'detached' || this.tries.value?.state !== 'shown';
      }
      if (current && (edited.value || outdated.value)) {
        return true;
      }
      // One run may leave both: a call that was seen, and one that was not.
      const older = problem?.cell !== current?.cell || problem?.execution !== current?.execution;
      return current !== null && (phase.value === 'detached' || (problem !== null && older));
    });
    this.status = computed(() => {
      const document = this.document.value;
      const refused = document?.refused.value;
      const line = document && refused && lineOf(document.text.value, refused.span.start);
      return statusOf({
        word: word.value,
        reach: phase.value,
        waiting: backend.value?.exhausted.value ?? false,
        running: running.value !== null && (pinned.value ?? running.value) === running.value,
        problem: this.stale.value || !this.current.value ? this.problem.value : null,
        shown: this.current.value !== null,
        tried: this.current.value?.tried ? (this.tries.value?.state ?? null) : null,
        phase: document?.phase.value ?? null,
        reason: refused ? `Line ${line}: ${refused.message}` : null,
        outdated: outdated.value
      });
    });
  }

  /** Shows the trace of a text that is tried; null for the cell's own again. */
  try(tried: Tried | null): void {
    this.tries.value = tried;
  }

  /** The trace of the text that is tried in place of this one's. */
  private triedInstead(own: TraceSummary | null): TraceSummary | undefined {
    const tried = this.tries.value;
    if (!tried || !own) {
      return undefined;
    }
    const held = this.session.traces.value.filter(
      trace => trace.tried && trace.cell === own.cell && trace.call === own.call
    );
    // The next one comes before the answer that names it, and takes the last one's place.
    return (
      held.find(({ id }) => id === tried.trace) ??
      (tried.state === 'asking' ? held.at(-1) : undefined)
    );
  }

  /** Keeps to a cell, or follows the one that ran last. */
  pin(cell: string | null): void {
    this.keeps.value = cell;
  }

  /** Shows another call of the cell's run, also of its later runs; null for the last one. */
  pick(trace: string | null): void {
    const found = this.session.traces.peek().find(({ id }) => id === trace);
    this.picked.value = found ? { cell: found.cell, call: found.call } : null;
  }

  toJSON(): Followed {
    return { pinned: this.keeps.value, picked: this.picked.value };
  }

  /** Takes up what was stored, as far as it was. */
  restore({ pinned = null, picked = null }: Partial<Followed>): void {
    this.keeps.value = pinned;
    this.picked.value = picked;
  }
}
