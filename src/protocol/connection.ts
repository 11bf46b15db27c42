import {
  CancellationTokenSource,
  ResponseError,
  createMessageConnection,
  type MessageConnection
} from 'vscode-jsonrpc/browser';

import type { Backend } from './backend';
import { EnvelopeReader, EnvelopeWriter } from './envelope-stream';
import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  Result,
  SelectionParams
} from './messages';
import { RpcError, UnansweredError } from './rpc-error';
import type { Transport } from './transport';

/** How long a request may stay silent; progress of any request shows that the kernel lives. */
const DEADLINE = 15_000;

/** The first request has nothing to compute, and may have met a subshell that was not up yet. */
const FIRST_DEADLINE = 3_000;

/** A request that has had no answer yet. */
interface Waiting {
  params: object | null;
  onLife: () => void;
  onProgress: ((progress: ProgressParams) => void) | undefined;
}

export interface ConnectionOptions {
  /** The hub's `session`: messages of an earlier backend are not for this connection. */
  session: string;
  client?: string;
  deadline?: number;
  /** Whether the kernel is known to be unable to answer now, so that silence means nothing. */
  expectsSilence?: () => boolean;
}

/** JSON-RPC with the kernel's backend over the hub widget. */
export class Connection implements Backend {
  readonly client: string;
  readonly #rpc: MessageConnection;
  readonly #reader: EnvelopeReader;
  readonly #deadline: number | undefined;
  readonly #expectsSilence: () => boolean;
  readonly #publish = new Set<(params: PublishParams, buffers: ArrayBuffer[]) => void>();
  readonly #select = new Set<(params: SelectionParams) => void>();
  readonly #gone = new Set<(why: string) => void>();
  readonly #writer: EnvelopeWriter;
  readonly #waiting = new Set<Waiting>();
  #why: string | undefined;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.client = options.client ?? crypto.randomUUID();
    this.#deadline = options.deadline;
    this.#expectsSilence = options.expectsSilence ?? (() => false);
    const address = { client: this.client, session: options.session };
    this.#reader = new EnvelopeReader(transport, address);
    this.#writer = new EnvelopeWriter(transport, address);
    this.#rpc = createMessageConnection(this.#reader, this.#writer);
    this.#rpc.onNotification('publish', (params: PublishParams) => {
      const buffers = this.#reader.buffers.get(params) ?? [];
      for (const listener of [...this.#publish]) {
        listener(params, buffers);
      }
    });
    this.#rpc.onNotification('selection/set', (params: SelectionParams) => {
      for (const listener of [...this.#select]) {
        listener(params);
      }
    });
    this.#rpc.onNotification('$/progress', (progress: ProgressParams) => {
      for (const { params, onLife, onProgress } of [...this.#waiting]) {
        onLife();
        if (params && this.#writer.ids.get(params) === progress.id) {
          onProgress?.(progress);
        }
      }
    });
    this.#rpc.listen();
  }

  /** Every request may be repeated, so one that was lost is sent once more. */
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
      this.#rpc.sendNotification(method, params).catch(() => undefined);
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

  /** Ends the connection: pending requests reject, and `onGone` tells why. Idempotent. */
  close(why: string): void {
    if (this.#why !== undefined) {
      return;
    }
    this.#why = why;
    this.#rpc.dispose();
    this.#reader.dispose();
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
    const cancellation = new CancellationTokenSource();
    let giveUp: (reason: unknown) => void;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = reason => {
        cancellation.cancel();
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
      }
    };
    let timer = setTimeout(lapse, wait);
    const rearm = () => {
      clearTimeout(timer);
      timer = setTimeout(lapse, wait);
    };
    signal?.addEventListener('abort', abort, { once: true });
    const waiting = { params, onLife: rearm, onProgress };
    this.#waiting.add(waiting);
    try {
      const sent = this.#send(method, params, cancellation);
      // When the request is given up, the late answer is of no interest to anyone.
      sent.catch(() => undefined);
      const result = await Promise.race([sent, givenUp]);
      const buffers =
        typeof result === 'object' && result !== null
          ? this.#reader.buffers.get(result)
          : undefined;
      return { result, buffers: buffers ?? [] };
    } catch (error) {
      throw this.#translate(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#waiting.delete(waiting);
    }
  }

  #send<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    { token }: CancellationTokenSource
  ): Promise<Result<M>> {
    // vscode-jsonrpc would send a null as the positional parameters [null].
    return params
      ? this.#rpc.sendRequest<Result<M>>(method, params, token)
      : this.#rpc.sendRequest<Result<M>>(method, token);
  }

  #translate(error: unknown): unknown {
    if (this.#why !== undefined) {
      return new Error(this.#why, { cause: error });
    }
    if (error instanceof ResponseError) {
      return new RpcError(error.code, error.message, error.data);
    }
    return error;
  }
}
