import { batch, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { TraceSummary } from '../../protocol/messages';
import { KERNEL_GONE } from '../kernel/user-messages';
import type { KernelSession } from '../kernel/kernel-session';
import type { Progress } from '../kernel/payload-key';
import type { TraceFollower } from './trace-follower';

/** The texts of one model call that the user edits in a panel. */
export type TrialTexts =
  | { state: 'closed' }
  | { state: 'asking' }
  | { state: 'refused'; why: string }
  | { state: 'open'; texts: readonly string[] };

const CLOSED: TrialTexts = { state: 'closed' };

/**
 * Trial texts for a model call, computed while typing.
 *
 * The cell does not change: closing the trial shows the trace of the cell again. When the cell
 * runs, the trial restarts with the texts of that run.
 */
export class Trial {
  readonly texts: ReadonlySignal<TrialTexts>;
  /** Why the newest texts cannot be shown; null if they are shown or being computed. */
  readonly error: ReadonlySignal<string | null>;
  readonly progress: ReadonlySignal<Progress | null>;

  private readonly held = {
    texts: signal<TrialTexts>(CLOSED),
    error: signal<string | null>(null),
    progress: signal<Progress | null>(null)
  };
  private asking: AbortController | null = null;
  /** The trace whose texts are edited; null while the trial is closed. */
  private base: TraceSummary | null = null;
  private unfollow: (() => void) | null = null;

  constructor(
    private readonly session: KernelSession,
    private readonly follower: TraceFollower
  ) {
    this.texts = this.held.texts;
    this.error = this.held.error;
    this.progress = this.held.progress;
  }

  /** Opens the trial with the texts of the shown call, and those of later runs. */
  open(): void {
    if (!this.follower.cellTrace.peek() || this.held.texts.peek().state !== 'closed') {
      return;
    }
    this.held.texts.value = { state: 'asking' };
    this.unfollow = effect(() => {
      const cellTrace = this.follower.cellTrace.value;
      untracked(() => this.meet(cellTrace));
    });
  }

  /** Called when the cell has a new trace. */
  private meet(cellTrace: TraceSummary | null): void {
    const { base } = this;
    if (!cellTrace || cellTrace.id === base?.id) {
      return;
    }
    this.base = cellTrace;
    // An edit of the cell keeps the trial texts; a run replaces them.
    if (base && sameRun(base, cellTrace) && this.follower.trial.peek()) {
      return;
    }
    batch(() => {
      this.stop();
      this.held.error.value = null;
      this.follower.showTrial(null);
    });
    void this.ask(cellTrace);
  }

  /** Requests the texts of a trace; the current ones stay until the reply. */
  private async ask(cellTrace: TraceSummary): Promise<void> {
    const backend = this.session.backend.peek();
    if (!backend) {
      this.held.texts.value = { state: 'refused', why: KERNEL_GONE };
      return;
    }
    const asking = (this.asking = new AbortController());
    let found: TrialTexts;
    try {
      const { result } = await backend.request(
        'trace/trialTexts',
        { trace: cellTrace.id },
        asking.signal
      );
      const { texts, reason } = result;
      found = reason ? { state: 'refused', why: reason } : { state: 'open', texts };
    } catch (error) {
      found = { state: 'refused', why: messageOf(error) };
    }
    if (this.asking === asking) {
      this.asking = null;
      this.held.texts.value = found;
    }
  }

  /** Changes one of the texts and requests its trace. */
  type(index: number, text: string): void {
    const now = this.held.texts.peek();
    if (now.state === 'open') {
      const texts = now.texts.map((old, i) => (i === index ? text : old));
      this.held.texts.value = { state: 'open', texts };
      void this.show(texts);
    }
  }

  /** Closes the trial and shows the trace of the cell again. */
  close(): void {
    this.unfollow?.();
    this.unfollow = null;
    this.base = null;
    batch(() => {
      this.stop();
      this.held.texts.value = CLOSED;
      this.held.error.value = null;
      this.follower.showTrial(null);
    });
  }

  private async show(texts: readonly string[]): Promise<void> {
    this.stop();
    const [backend, cellTrace] = [this.session.backend.peek(), this.follower.cellTrace.peek()];
    const shown = this.follower.trial.peek()?.trace ?? null;
    if (!backend || !cellTrace) {
      this.fail(shown, KERNEL_GONE);
      return;
    }
    const asking = (this.asking = new AbortController());
    this.held.error.value = null;
    this.follower.showTrial({ trace: shown, state: 'asking' });
    const params = {
      trace: cellTrace.id,
      texts: [...texts],
      limit: this.session.documents.limit.peek()
    };
    try {
      const { result } = await backend.request('trace/trial', params, asking.signal, progress => {
        if (this.asking === asking) {
          this.held.progress.value = progress;
        }
      });
      if (this.asking === asking) {
        this.stop();
        this.follower.showTrial({ trace: result.trace, state: 'shown' });
        if (!this.session.traces.peek().some(({ id }) => id === result.trace)) {
          this.session.resync(); // The push was lost.
        }
      }
    } catch (error) {
      if (this.asking === asking) {
        this.stop();
        this.fail(shown, messageOf(error));
      }
    }
  }

  private fail(shown: string | null, why: string): void {
    batch(() => {
      this.held.error.value = why;
      this.follower.showTrial({ trace: shown, state: 'failed' });
    });
  }

  private stop(): void {
    this.asking?.abort();
    this.asking = null;
    this.held.progress.value = null;
  }
}

/** Whether two traces are of the same model call in the same run of a cell. */
function sameRun(one: TraceSummary, other: TraceSummary): boolean {
  return one.cell === other.cell && one.execution === other.execution && one.call === other.call;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
