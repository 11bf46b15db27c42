import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionParams
} from './messages';

/** The interface of a backend; `Connection` is the implementation for a kernel. */
export interface Backend {
  /** Id of this client, unique to the page and the connection. */
  readonly client: string;

  /**
   * Sends a request; rejects with an `RpcError`, or with the abort reason of `signal`.
   *
   * @param onProgress - Called while a request takes more than half a second.
   */
  request<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>>;

  /** Sends a notification; there is no way to learn whether it was received. */
  notify<M extends keyof Notifications>(method: M, params: Notifications[M]): void;

  /** Calls `listener` with every push; returns its disposer. */
  onPublish(listener: (params: PublishParams, buffers: ArrayBuffer[]) => void): () => void;

  /** Calls `listener` with every selection that Python sets; returns its disposer. */
  onSelect(listener: (params: SelectionParams) => void): () => void;

  /** Calls `listener` once when the connection has ended; returns its disposer. */
  onGone(listener: (why: string) => void): () => void;
}
