import type { Status } from '../../state/kernel/status';
import * as messages from '../../state/kernel/user-messages';
import type { UserMessage } from '../../state/kernel/user-messages';

/** Why a notebook has no connection to a backend. */
export class BackendAbsence {
  /** Whether a backend is being started. */
  starting = false;
  /** Why a connection was dropped although its backend may still run. */
  doubt: string | undefined;
  /** Why there is no backend; shown until a cell has run in the next one. */
  #loss: Status | undefined;

  /** Whether the user must be told if the kernel is lost. */
  get known(): boolean {
    return this.starting || this.doubt !== undefined;
  }

  /** Called when there is no backend until a cell runs again. */
  lose(why: UserMessage): void {
    this.#loss = { kind: 'dead', ...why };
    this.doubt = undefined;
    this.starting = false;
  }

  /** Called when a backend has answered; returns the status to show from then on. */
  end(hasRun: boolean): Status | null {
    this.doubt = undefined;
    const status = this.#loss ?? null;
    if (hasRun) {
      this.#loss = undefined;
    }
    return status;
  }

  /**
   * Returns the status.
   *
   * @param silent - Whether a backend was greeted and has not answered.
   * @param asked - Whether the kernel has been asked for its backend and is busy.
   */
  status(silent: boolean, asked: boolean): Status | null {
    if (this.starting) {
      return { kind: 'starting', message: messages.STARTING };
    }
    if (this.doubt !== undefined) {
      return { kind: 'waiting', message: this.doubt };
    }
    if (silent || (asked && !this.#loss)) {
      return { kind: 'waiting', message: messages.BUSY };
    }
    return this.#loss ?? null;
  }
}
