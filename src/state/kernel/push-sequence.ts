import type { Push } from './kernel-content';

/** What is done with pushes. */
export interface PushTarget {
  /** Applies a push. */
  apply: (push: Push) => void;
  /** Takes only the payloads and texts of a push. */
  addData: (push: Push) => void;
  /** Requests the whole state, because a push was lost. */
  resync: (missed: Push[]) => void;
}

/**
 * The order of the pushes of a kernel.
 *
 * Pushes are numbered by `revision`. When one is missing, the ones that arrived are applied at
 * once and the whole state is requested; later pushes are then replayed.
 */
export class PushSequence {
  private revision = -1;
  /** Pushes that arrived while the whole state is requested; null if it is not. */
  private missed: Push[] | null = null;

  constructor(private readonly target: PushTarget) {}

  /** Begins with the pushes of a kernel whose state is requested. */
  begin(): void {
    this.revision = -1;
    this.missed = [];
  }

  /** Drops the pushes that arrived while the state was requested. */
  end(): void {
    this.missed = null;
  }

  /** Collects pushes until the state arrives; returns false if they are being collected already. */
  collect(missed: Push[]): boolean {
    if (this.missed) {
      return false;
    }
    this.missed = missed;
    return true;
  }

  receive(push: Push): void {
    const { revision } = push.params;
    if (revision <= this.revision) {
      // A `state` reply already included this push, except its payloads and texts.
      this.target.addData(push);
      return;
    }
    this.target.apply(push);
    if (this.missed) {
      this.missed.push(push);
    } else if (revision === this.revision + 1) {
      this.revision = revision;
    } else {
      this.target.resync([push]);
    }
  }

  /** Replays the collected pushes after the whole state, which has a revision. */
  continueFrom(revision: number): void {
    this.revision = revision;
    const missed = this.missed ?? [];
    this.missed = null;
    missed
      .sort((a, b) => a.params.revision - b.params.revision)
      .forEach(push => this.receive(push));
  }
}
