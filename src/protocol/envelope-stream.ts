import {
  AbstractMessageReader,
  AbstractMessageWriter,
  Disposable,
  type DataCallback,
  type Message,
  type MessageReader,
  type MessageWriter
} from 'vscode-jsonrpc/browser';

import type { Envelope } from './messages';
import type { Transport } from './transport';

/** Who speaks, and to which session of the kernel's backend. */
export interface Address {
  readonly client: string;
  readonly session: string;
}

function isEnvelope(content: unknown): content is Envelope {
  if (typeof content !== 'object' || content === null) {
    return false;
  }
  const { sender, to, session, rpc } = content as Partial<Record<keyof Envelope, unknown>>;
  return (
    typeof sender === 'string' &&
    typeof to === 'string' &&
    typeof session === 'string' &&
    typeof rpc === 'object' &&
    rpc !== null
  );
}

/** Every message reaches every page: keeps those that the kernel sent to this client. */
export function isFor(address: Address, content: unknown): content is Envelope {
  return (
    isEnvelope(content) &&
    content.sender === 'kernel' &&
    content.session === address.session &&
    (content.to === address.client || content.to === '*')
  );
}

/**
 * Unwraps the kernel's envelopes for vscode-jsonrpc.
 *
 * JSON-RPC knows no binary buffers, so `buffers` remembers them under the object that
 * they belong to: a push's `params` or a reply's `result`.
 */
export class EnvelopeReader extends AbstractMessageReader implements MessageReader {
  readonly buffers = new WeakMap<object, ArrayBuffer[]>();
  private leave: (() => void) | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly address: Address
  ) {
    super();
  }

  listen(callback: DataCallback): Disposable {
    this.leave = this.transport.onMessage((content, buffers) => {
      if (!isFor(this.address, content)) {
        return;
      }
      for (const payload of [content.rpc.params, content.rpc.result]) {
        if (typeof payload === 'object' && payload !== null) {
          this.buffers.set(payload, buffers);
        }
      }
      callback(content.rpc as unknown as Message);
    });
    return Disposable.create(this.leave);
  }

  /** vscode-jsonrpc never disposes what `listen` returned, so this does. */
  override dispose(): void {
    this.leave?.();
    super.dispose();
  }
}

/**
 * Wraps vscode-jsonrpc's messages in envelopes to the kernel.
 *
 * Progress names its request by an id that vscode-jsonrpc keeps to itself, so `ids` remembers
 * it under the request's `params`.
 */
export class EnvelopeWriter extends AbstractMessageWriter implements MessageWriter {
  readonly ids = new WeakMap<object, unknown>();

  constructor(
    private readonly transport: Transport,
    private readonly address: Address
  ) {
    super();
  }

  write(message: Message): Promise<void> {
    const { client, session } = this.address;
    const { id, params } = message as { id?: unknown; params?: unknown };
    if (typeof params === 'object' && params !== null) {
      this.ids.set(params, id);
    }
    // Without a copy, `undefined` params would reach transports that refuse them.
    const rpc = JSON.parse(JSON.stringify(message)) as Envelope['rpc'];
    this.transport.send({ sender: client, to: 'kernel', session, rpc });
    return Promise.resolve();
  }

  end(): void {
    // The hub outlives its connections; nothing is to be closed.
  }
}
