import type { Kernel } from '@jupyterlab/services';

import { Connection } from '../../protocol/connection';
import { greet, type Greeting } from '../../protocol/greeting';
import { KernelTransport } from './transport';

/** A connection between one backend and one notebook. */
export class BackendLink {
  readonly connection: Connection;
  /** `met` after the backend answered the greeting, `silent` if it did not in time. */
  state: 'asked' | 'silent' | 'met' = 'asked';
  readonly #transport: KernelTransport;
  readonly #closed = new AbortController();

  /**
   * @param session - Session id of the backend, which identifies one kernel process.
   * @param onSilence - Called when the backend does not answer although it should.
   */
  constructor(
    kernel: Kernel.IKernelConnection,
    readonly session: string,
    onSilence: (link: BackendLink) => void
  ) {
    const transport = (this.#transport = new KernelTransport(kernel, session));
    this.connection = new Connection(transport, {
      session,
      expectsSilence: () => kernel.status === 'busy' && !transport.control,
      onSilence: () => onSilence(this)
    });
  }

  /** Aborts when the link is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Introduces this client to the backend; a backend that does not answer is `silent`. */
  async greet(): Promise<Greeting> {
    const greeting = await greet(this.connection);
    if (this.closed.aborted) {
      return greeting;
    }
    if (greeting.outcome === 'met') {
      this.state = 'met';
      this.#transport.control = greeting.capabilities.includes('busy/control');
    } else if (greeting.outcome === 'unanswered') {
      // The backend may listen on the other channel, or have ended.
      this.#transport.control = !this.#transport.control;
      this.state = 'silent';
    }
    return greeting;
  }

  /** Closes the connection; pending requests fail with the reason. */
  close(why: string): void {
    this.#closed.abort();
    this.connection.close(why);
  }
}
