/** The error response of the kernel to a request. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    /** One of `ErrorCode`, unless the kernel has another version. */
    readonly code: number,
    message: string,
    readonly data?: unknown
  ) {
    super(message);
  }
}

/** There was no response in time, twice. The kernel may be busy, or the message was lost. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';

  constructor(readonly method: string) {
    super(`The kernel has not answered “${method}”.`);
  }
}
