import type { Backend } from './backend';
import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionParams
} from './messages';
import { Rpc } from './rpc';
import { UnansweredError } from './rpc-error';
import type { Transport } from './transport';

/** Milliseconds to wait for a response; progress of any request restarts the time. */
const DEADLINE = 15_000;

/** Shorter: the first request is fast, but is lost if its subshell has not started yet. */
const FIRST_DEADLINE = 3_000;

/** A request that waits for its response. */
interface Waiting {
  id: number;
  onLife: () => void;
  onProgress: ((progress: ProgressParams) => void) | undefined;
}

export interface ConnectionOptions {
  /** The hub's `session`; messages of other sessions are ignored. */
  session: string;
  client?: string;
  deadline?: number;
  /** Whether the kernel is known to be unable to respond now. */
  expectsSilence?: () => boolean;
  /** Called when a deadline has passed; the request is repeated unless the connection closes. */
  onSilence?: () => void;
}

/** A connection of a page to the kernel's backend through the hub widget. */
export class Connection implements Backend {
  readonly client: string;
  readonly #rpc: Rpc;
  readonly #deadline: number | undefined;
  readonly #expectsSilence: () => boolean;
  readonly #onSilence: (() => void) | undefined;
  readonly #publish = new Set<(params: PublishParams, buffers: ArrayBuffer[]) => void>();
  readonly #select = new Set<(params: SelectionParams) => void>();
  readonly #gone = new Set<(why: string) => void>();
  readonly #waiting = new Set<Waiting>();
  #why: string | undefined;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.client = options.client ?? crypto.randomUUID();
    this.#deadline = options.deadline;
    this.#expectsSilence = options.expectsSilence ?? (() => false);
    this.#onSilence = options.onSilence;
    const address = { client: this.client, session: options.session };
    this.#rpc = new Rpc(transport, address, (method, params, buffers) => {
      this.#hear(method, params, buffers);
    });
  }

  /** Every request may be repeated, so a lost one is sent again once. */
  async request<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>> {
    try {
      return await this.#attempt(method, params, signal, onProgress);
    } catch (error) {
      if (!(error instanceof UnansweredError) || this.#why !== undefined) {
        throw error;
      }
      return this.#attempt(method, params, signal, onProgress);
    }
  }

  notify<M extends keyof Notifications>(method: M, params: Notifications[M]): void {
    if (this.#why === undefined) {
      this.#rpc.notify(method, params);
    }
  }

  onPublish(listener: (params: PublishParams, buffers: ArrayBuffer[]) => void): () => void {
    this.#publish.add(listener);
    return () => this.#publish.delete(listener);
  }

  onSelect(listener: (params: SelectionParams) => void): () => void {
    this.#select.add(listener);
    return () => this.#select.delete(listener);
  }

  onGone(listener: (why: string) => void): () => void {
    this.#gone.add(listener);
    return () => this.#gone.delete(listener);
  }

  /** Ends the connection: pending requests reject, and `onGone` gets the reason. Idempotent. */
  close(why: string): void {
    if (this.#why !== undefined) {
      return;
    }
    this.#why = why;
    this.#rpc.close(new Error(why));
    const listeners = [...this.#gone];
    this.#gone.clear();
    this.#publish.clear();
    this.#select.clear();
    for (const listener of listeners) {
      listener(why);
    }
  }

  async #attempt<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>> {
    signal?.throwIfAborted();
    if (this.#why !== undefined) {
      throw new Error(this.#why);
    }
    const wait = this.#deadline ?? (method === 'initialize' ? FIRST_DEADLINE : DEADLINE);
    const { id, answer } = this.#rpc.request(method, params);
    let giveUp!: (reason: unknown) => void;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = reason => {
        this.#rpc.cancel(id);
        // Abort reasons may be anything, and callers compare them.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(reason);
      };
    });
    const abort = () => {
      giveUp(signal?.reason);
    };
    const lapse = () => {
      if (this.#expectsSilence()) {
        rearm();
      } else {
        giveUp(new UnansweredError(method));
        this.#onSilence?.();
      }
    };
    let timer = setTimeout(lapse, wait);
    const rearm = () => {
      clearTimeout(timer);
      timer = setTimeout(lapse, wait);
    };
    signal?.addEventListener('abort', abort, { once: true });
    const waiting = { id, onLife: rearm, onProgress };
    this.#waiting.add(waiting);
    try {
      return (await Promise.race([answer, givenUp])) as Reply<M>;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#waiting.delete(waiting);
    }
  }

  /** Handles a notification of the kernel; unknown methods are ignored. */
  #hear(method: string, params: unknown, buffers: ArrayBuffer[]): void {
    switch (method) {
      case 'publish':
        for (const listener of [...this.#publish]) {
          listener(params as PublishParams, buffers);
        }
        break;
      case 'selection/set':
        for (const listener of [...this.#select]) {
          listener(params as SelectionParams);
        }
        break;
      case '$/progress':
        for (const { id, onLife, onProgress } of [...this.#waiting]) {
          const progress = params as ProgressParams;
          onLife();
          if (id === progress.id) {
            onProgress?.(progress);
          }
        }
    }
  }
}
