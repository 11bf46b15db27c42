import { batch, signal, type ReadonlySignal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { Problem, PublishParams, State, TraceSummary } from '../protocol/messages';
import type { Document } from './document';
import { Documents } from './documents';
import { Patience } from './patience';
import { Pictures } from './pictures';
import { SelectionLink } from './selection-link';
import type { Reach, Status } from './status';
import { Texts } from './texts';

interface Push {
  params: PublishParams;
  buffers: ArrayBuffer[];
}

/** Milliseconds until the state is asked for again after a failure. */
const RETRY = 2000;

/**
 * What one kernel holds, for all panels of a notebook; a `Follower` chooses what each shows.
 *
 * Pushes are counted by `revision`. One that is missing shows as a gap: what has come is
 * shown at once, and the whole state is asked for, after which later pushes are replayed.
 */
export class Session {
  readonly pictures = new Pictures();
  readonly texts = new Texts();
  readonly traces: ReadonlySignal<readonly TraceSummary[]>;
  readonly problems: ReadonlySignal<readonly Problem[]>;
  /** The watched cell that runs now. */
  readonly running: ReadonlySignal<string | null>;
  /** The watched cell that ran last. */
  readonly last: ReadonlySignal<string | null>;
  readonly phase: ReadonlySignal<Reach>;
  /** What the host has to say, or a kernel that is gone has left. */
  readonly word: ReadonlySignal<Status | null>;
  /** What requests go through; null while there is no kernel. */
  readonly backend: ReadonlySignal<Patience | null>;
  /** What is selected in the panels, for Python to see and set. */
  readonly selections: SelectionLink;
  /** The tagged cells, and the texts that the traces are of. */
  readonly documents: Documents;

  private readonly held = {
    traces: signal<readonly TraceSummary[]>([]),
    problems: signal<readonly Problem[]>([]),
    running: signal<string | null>(null),
    last: signal<string | null>(null),
    phase: signal<Reach>('detached'),
    word: signal<Status | null>(null),
    backend: signal<Patience | null>(null)
  };
  private revision = -1;
  private missed: Push[] | null = null;
  private attachment: AbortController | null = null;

  /** @param document - Where the host tells of its cells, the class that follows one. */
  constructor(document?: typeof Document) {
    const { traces, problems, running, last, phase, word, backend } = this.held;
    this.traces = traces;
    this.problems = problems;
    this.running = running;
    this.last = last;
    this.phase = phase;
    this.word = word;
    this.backend = backend;
    this.selections = new SelectionLink(backend);
    this.documents = new Documents(backend, running, () => this.ask(), document);
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

  /** Asks for the whole state, since a push seems to be lost. */
  ask(missed: Push[] = []): void {
    const patient = this.held.backend.peek();
    if (patient && this.attachment && !this.missed) {
      this.missed = missed;
      void this.resync(patient, this.attachment.signal);
    }
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

  /** Leaves the kernel, and tells it nothing any more. */
  dispose(): void {
    this.documents.dispose();
    this.detach('The notebook is closed.');
    this.selections.dispose();
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
      this.ask([push]);
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
    this.documents.load(state.sources);
    last.value = lastOf(state);
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
    const cell = trace?.cell ?? problem?.cell ?? params.source?.cell;
    if (cell !== undefined) {
      last.value = cell;
      this.held.word.value = null;
    }
    running.value = params.running;
    if (params.source) {
      this.documents.take(params.source);
    }
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

/** The cell that ran last, as far as what the kernel holds tells: a run may leave no trace. */
function lastOf({ traces, problems }: State): string | null {
  const trace = traces.at(-1);
  const later = problems
    .filter(({ execution }) => execution > (trace?.execution ?? -1))
    .sort((a, b) => a.execution - b.execution)
    .at(-1);
  return (later ?? trace)?.cell ?? null;
}
