import { batch, effect, signal, untracked, type ReadonlySignal } from '@preact/signals-core';
import type { TraceSummary } from '../protocol/messages';
import type { Follower } from './follower';
import type { Session } from './session';
import type { Progress } from './wish';

/** The texts of one call, as a person changes them to see what would become of it. */
export type Texts =
  | { state: 'closed' }
  | { state: 'asking' }
  | { state: 'refused'; why: string }
  | { state: 'open'; texts: readonly string[] };

const CLOSED: Texts = { state: 'closed' };

/**
 * Other texts in place of those that a call was given, redrawn as they are typed.
 *
 * Nothing of the cell changes by it: to close the trial is to see the cell's own trace again.
 * A run of the cell is seen, too, and the texts are those of that run from then on; what is
 * typed after it stays.
 */
export class Trial {
  readonly texts: ReadonlySignal<Texts>;
  /** Why the newest texts have no picture; null where they have, or will have. */
  readonly error: ReadonlySignal<string | null>;
  readonly progress: ReadonlySignal<Progress | null>;

  private readonly held = {
    texts: signal<Texts>(CLOSED),
    error: signal<string | null>(null),
    progress: signal<Progress | null>(null)
  };
  private asking: AbortController | null = null;
  /** The trace whose texts are changed; null while the trial is closed. */
  private base: TraceSummary | null = null;
  private unfollow: (() => void) | null = null;

  constructor(
    private readonly session: Session,
    private readonly follower: Follower
  ) {
    this.texts = this.held.texts;
    this.error = this.held.error;
    this.progress = this.held.progress;
  }

  /** Asks which texts the shown call was given, and those of the later ones. */
  open(): void {
    if (!this.follower.own.peek() || this.held.texts.peek().state !== 'closed') {
      return;
    }
    this.held.texts.value = { state: 'asking' };
    this.unfollow = effect(() => {
      const own = this.follower.own.value;
      untracked(() => this.meet(own));
    });
  }

  /** The cell's own trace is this one now. */
  private meet(own: TraceSummary | null): void {
    const { base } = this;
    if (!own || own.id === base?.id) {
      return;
    }
    this.base = own;
    // An edit of the cell leaves alone what is tried; a run forgets it.
    if (base && sameRun(base, own) && this.follower.tried.peek()) {
      return;
    }
    batch(() => {
      this.stop();
      this.held.error.value = null;
      this.follower.try(null);
    });
    void this.ask(own);
  }

  /** What stands in the boxes stays there until the answer. */
  private async ask(own: TraceSummary): Promise<void> {
    const backend = this.session.backend.peek();
    if (!backend) {
      this.held.texts.value = { state: 'refused', why: 'The kernel is gone.' };
      return;
    }
    const asking = (this.asking = new AbortController());
    let found: Texts;
    try {
      const { result } = await backend.request('trace/texts', { trace: own.id }, asking.signal);
      const { texts, why } = result;
      found = why ? { state: 'refused', why } : { state: 'open', texts };
    } catch (error) {
      found = { state: 'refused', why: messageOf(error) };
    }
    if (this.asking === asking) {
      this.asking = null;
      this.held.texts.value = found;
    }
  }

  /** One of the texts says something else now; the newest is what is shown. */
  type(index: number, text: string): void {
    const now = this.held.texts.peek();
    if (now.state === 'open') {
      const texts = now.texts.map((old, i) => (i === index ? text : old));
      this.held.texts.value = { state: 'open', texts };
      void this.show(texts);
    }
  }

  /** Shows the cell's own trace again. */
  close(): void {
    this.unfollow?.();
    this.unfollow = null;
    this.base = null;
    batch(() => {
      this.stop();
      this.held.texts.value = CLOSED;
      this.held.error.value = null;
      this.follower.try(null);
    });
  }

  private async show(texts: readonly string[]): Promise<void> {
    this.stop();
    const [backend, own] = [this.session.backend.peek(), this.follower.own.peek()];
    const shown = this.follower.tried.peek()?.trace ?? null;
    if (!backend || !own) {
      this.fail(shown, 'The kernel is gone.');
      return;
    }
    const asking = (this.asking = new AbortController());
    this.held.error.value = null;
    this.follower.try({ trace: shown, state: 'asking' });
    const params = {
      trace: own.id,
      texts: [...texts],
      limit: this.session.documents.limit.peek()
    };
    try {
      const { result } = await backend.request('trace/try', params, asking.signal, progress => {
        if (this.asking === asking) {
          this.held.progress.value = progress;
        }
      });
      if (this.asking === asking) {
        this.stop();
        this.follower.try({ trace: result.trace, state: 'shown' });
        if (!this.session.traces.peek().some(({ id }) => id === result.trace)) {
          this.session.ask(); // The push was lost.
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
      this.follower.try({ trace: shown, state: 'failed' });
    });
  }

  private stop(): void {
    this.asking?.abort();
    this.asking = null;
    this.held.progress.value = null;
  }
}

/** Whether two traces are of one call in one run of a cell, of whichever of its texts. */
function sameRun(one: TraceSummary, other: TraceSummary): boolean {
  return one.cell === other.cell && one.execution === other.execution && one.call === other.call;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
