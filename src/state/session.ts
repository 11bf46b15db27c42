import { batch, computed, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { Problem, PublishParams, State, TraceSummary } from '../protocol/messages';
import { Patience } from './patience';
import type { Pictures } from './pictures';
import { statusOf, type Status } from './status';
import { Texts } from './texts';

interface Push {
  params: PublishParams;
  buffers: ArrayBuffer[];
}

/** Milliseconds until the state is asked for again after a failure. */
const RETRY = 2000;

/**
 * What one kernel holds, as one panel sees it.
 *
 * Pushes are counted by `revision`. One that is missing shows as a gap: what has come is
 * shown at once, and the whole state is asked for, after which later pushes are replayed.
 */
export class Session {
  readonly traces: ReadonlySignal<readonly TraceSummary[]>;
  readonly problems: ReadonlySignal<readonly Problem[]>;
  /** The watched cell that runs now. */
  readonly running: ReadonlySignal<string | null>;
  /** The cell that the panel keeps to, whichever runs; null to follow the last one. */
  readonly pinned: ReadonlySignal<string | null>;
  /** The trace to show: of the pinned cell, else of the one that ran last. */
  readonly current: ReadonlySignal<TraceSummary | null>;
  /** All calls of the shown trace's run, in order. */
  readonly calls: ReadonlySignal<readonly TraceSummary[]>;
  /** What the shown cell's newest run has failed to leave, and why. */
  readonly problem: ReadonlySignal<Problem | null>;
  /** Whether the shown picture is of an older run, or of a kernel that is gone. */
  readonly stale: ReadonlySignal<boolean>;
  readonly status: ReadonlySignal<Status>;
  /** What requests go through; null while there is no kernel. */
  readonly backend: ReadonlySignal<Backend | null>;

  private readonly held = {
    traces: signal<readonly TraceSummary[]>([]),
    problems: signal<readonly Problem[]>([]),
    running: signal<string | null>(null),
    pinned: signal<string | null>(null),
    picked: signal<{ cell: string; call: number } | null>(null),
    last: signal<string | null>(null),
    phase: signal<'detached' | 'starting' | 'attached'>('detached'),
    word: signal<Status | null>(null),
    backend: signal<Patience | null>(null)
  };
  private revision = -1;
  private missed: Push[] | null = null;
  private attachment: AbortController | null = null;

  constructor(
    private readonly pictures: Pictures,
    private readonly texts = new Texts()
  ) {
    const held = this.held;
    this.traces = held.traces;
    this.problems = held.problems;
    this.running = held.running;
    this.pinned = held.pinned;
    this.backend = held.backend;
    const cell = computed(() => {
      const traces = held.traces.value;
      const last = held.last.value;
      const ran = traces.some(trace => trace.cell === last) ? last : traces.at(-1)?.cell;
      return held.pinned.value ?? ran ?? null;
    });
    this.calls = computed(() => held.traces.value.filter(trace => trace.cell === cell.value));
    this.current = computed(() => {
      const picked = held.picked.value;
      const call = picked?.cell === cell.value ? picked.call : undefined;
      const calls = this.calls.value;
      return calls.find(trace => trace.call === call) ?? calls.at(-1) ?? null;
    });
    this.problem = computed(() => {
      const problems = held.problems.value;
      const other = held.pinned.value ? null : held.last.value;
      return (
        problems.find(problem => problem.cell === other) ??
        problems.find(problem => problem.cell === cell.value) ??
        null
      );
    });
    this.stale = computed(() => {
      const [current, problem] = [this.current.value, this.problem.value];
      // One run may leave both: a call that was seen, and one that was not.
      const older = problem?.cell !== current?.cell || problem?.execution !== current?.execution;
      return current !== null && (held.phase.value === 'detached' || (problem !== null && older));
    });
    this.status = computed(() =>
      statusOf({
        word: held.word.value,
        phase: held.phase.value,
        waiting: held.backend.value?.exhausted.value ?? false,
        running: held.running.value !== null && runs(held.running.value, held.pinned.value),
        problem: this.stale.value || !this.current.value ? this.problem.value : null,
        shown: this.current.value !== null
      })
    );
  }

  /**
   * Shows what this kernel holds from now on.
   *
   * @param state - What `initialize` brought; without it, it is asked for.
   */
  attach(backend: Backend, state?: State): void {
    this.leave();
    const attachment = (this.attachment = new AbortController());
    const patient = new Patience(backend);
    const disposers = [
      patient.onPublish((params, buffers) => this.take({ params, buffers })),
      patient.onGone(why => this.detach(why))
    ];
    attachment.signal.addEventListener('abort', () => disposers.forEach(dispose => dispose()));
    batch(() => {
      this.held.backend.value = patient;
      this.held.phase.value = 'starting';
      this.revision = -1;
      this.missed = [];
      if (state) {
        this.begin(patient, state);
      } else {
        void this.resync(patient, attachment.signal);
      }
    });
  }

  /** The kernel is gone: keeps its last picture, marked, and says why. */
  detach(reason: string, remedy?: string): void {
    this.leave();
    batch(() => {
      this.held.backend.value = null;
      this.held.phase.value = 'detached';
      this.held.running.value = null;
      // That the kernel is gone matters more than what went wrong in it.
      this.held.problems.value = [];
      this.pictures.detach();
      this.texts.detach();
      this.held.word.value = { kind: 'dead', message: reason, ...(remedy && { remedy }) };
    });
  }

  /** What the host has to say while there is no kernel to ask, e.g. that a package is missing. */
  say(word: Status | null): void {
    this.held.word.value = word;
  }

  /** Keeps to a cell, or follows the one that ran last. */
  pin(cell: string | null): void {
    this.held.pinned.value = cell;
  }

  /** Shows another call of the cell's run, also of its later runs; null for the last one. */
  pick(trace: string | null): void {
    const found = this.held.traces.peek().find(({ id }) => id === trace);
    this.held.picked.value = found ? { cell: found.cell, call: found.call } : null;
  }

  private leave(): void {
    this.attachment?.abort();
    this.attachment = null;
    this.missed = null;
  }

  private take(push: Push): void {
    const { revision } = push.params;
    if (revision <= this.revision) {
      // A `state` reply overtook it: only its pictures and texts are news.
      batch(() => this.takePictures(push));
      return;
    }
    batch(() => this.apply(push));
    if (this.missed) {
      this.missed.push(push);
    } else if (revision === this.revision + 1) {
      this.revision = revision;
    } else {
      this.missed = [push];
      const patient = this.held.backend.peek();
      if (patient && this.attachment) {
        void this.resync(patient, this.attachment.signal);
      }
    }
  }

  private async resync(patient: Patience, signal: AbortSignal): Promise<void> {
    try {
      const { result } = await patient.request('state', null, signal);
      if (!signal.aborted) {
        batch(() => this.begin(patient, result));
      }
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      // A kernel that is out of reach for good says so by `onGone`; any other may yet answer.
      const message = error instanceof Error ? error.message : String(error);
      this.held.word.value = { kind: 'waiting', message };
      const again = setTimeout(() => void this.resync(patient, signal), RETRY);
      signal.addEventListener('abort', () => clearTimeout(again));
    }
  }

  /** Takes the whole state, then the pushes that came while it was on its way. */
  private begin(patient: Patience, state: State): void {
    if (this.held.phase.peek() !== 'attached') {
      // Ids of one kernel mean nothing to the next.
      this.pictures.attach(patient);
      this.texts.attach(patient);
    }
    const { traces, problems, running, last, phase, word } = this.held;
    phase.value = 'attached';
    // "Kernel restarted, run the cell again" holds until the cell has run again.
    const left = word.peek();
    word.value = left && state.traces.length === 0 ? { ...left, kind: 'none' } : null;
    traces.value = state.traces;
    problems.value = state.problems;
    running.value = state.running;
    last.value = state.traces.at(-1)?.cell ?? state.problems.at(-1)?.cell ?? null;
    this.revision = state.revision;
    const missed = this.missed ?? [];
    this.missed = null;
    missed.sort((a, b) => a.params.revision - b.params.revision).forEach(push => this.take(push));
  }

  private apply(push: Push): void {
    const { params } = push;
    const { traces, problems, running, last } = this.held;
    const { trace, problem, forgotten, resolved = [] } = params;
    const gone = new Set(forgotten);
    if (trace || gone.size) {
      const kept = traces.peek().filter(({ id }) => !gone.has(id) && id !== trace?.id);
      // The shown trace must not vanish for a moment: forgetting and adding are one change.
      traces.value = trace ? [...kept, trace] : kept;
    }
    if (problem || resolved.length) {
      const past = new Set([...resolved, problem?.cell]);
      const kept = problems.peek().filter(other => !past.has(other.cell));
      problems.value = problem ? [...kept, problem] : kept;
    }
    const cell = trace?.cell ?? problem?.cell;
    if (cell !== undefined) {
      last.value = cell;
      this.held.word.value = null;
    }
    running.value = params.running;
    this.takePictures(push);
    this.pictures.forget(forgotten);
    this.texts.forget(forgotten);
  }

  private takePictures({ params, buffers }: Push): void {
    const held = new Set(this.held.traces.peek().map(({ id }) => id));
    for (const item of params.items ?? []) {
      if (held.has(item.trace)) {
        this.texts.put(item);
      }
    }
    for (const picture of params.pictures) {
      if (held.has(picture.trace)) {
        this.pictures.put(picture, buffers);
      }
    }
  }
}

function runs(running: string, pinned: string | null): boolean {
  return pinned === null || pinned === running;
}
