import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionParams
} from './messages';

/** What a session needs from its transport; `Connection` is the one that talks to a kernel. */
export interface Backend {
  /** This client's id, unique to the page and the connection. */
  readonly client: string;

  /**
   * Asks the kernel; rejects with an `RpcError`, and with `AbortError` once `signal` fires.
   *
   * @param onProgress - Called while a request takes over half a second.
   */
  request<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>>;

  /** Tells the kernel something that has no answer; nobody learns whether it came. */
  notify<M extends keyof Notifications>(method: M, params: Notifications[M]): void;

  /** Calls `listener` with every push; returns what takes the listener away again. */
  onPublish(listener: (params: PublishParams, buffers: ArrayBuffer[]) => void): () => void;

  /** Calls `listener` with every selection that Python sets; returns its disposer. */
  onSelect(listener: (params: SelectionParams) => void): () => void;

  /** Calls `listener` once when the kernel is out of reach for good; returns its disposer. */
  onGone(listener: (why: string) => void): () => void;
}
