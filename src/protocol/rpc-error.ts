/** The kernel's own answer to a request that it could not fulfil. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    /** One of `ErrorCode`, unless the kernel is of another version. */
    readonly code: number,
    message: string,
    readonly data?: unknown
  ) {
    super(message);
  }
}

/** No answer came in time, twice. The kernel may be busy, or the message was lost. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';

  constructor(readonly method: string) {
    super(`The kernel has not answered “${method}”.`);
  }
}
