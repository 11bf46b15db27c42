import { isFor, type Address } from './envelope';
import type { Envelope } from './messages';
import { RpcError } from './rpc-error';
import type { Transport } from './transport';

/** A result and its binary buffers, which are not part of JSON-RPC. */
export interface Answer {
  result: unknown;
  buffers: ArrayBuffer[];
}

/** A request that was sent. */
export interface Asked {
  /** The id for `cancel`, and in progress notifications. */
  readonly id: number;
  /** Rejects with an `RpcError`; never settles without a response. */
  readonly answer: Promise<Answer>;
}

/** Handles a notification of the kernel. */
export type OnNotification = (method: string, params: unknown, buffers: ArrayBuffer[]) => void;

interface Open {
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/** A JSON-RPC 2.0 client that sends and receives envelopes. */
export class Rpc {
  readonly #transport: Transport;
  readonly #address: Address;
  readonly #open = new Map<number, Open>();
  readonly #leave: () => void;
  #asked = 0;

  constructor(transport: Transport, address: Address, onNotification: OnNotification) {
    this.#transport = transport;
    this.#address = address;
    this.#leave = transport.onMessage((content, buffers) => {
      if (!isFor(address, content)) {
        return;
      }
      const { method, params } = content.rpc;
      if (typeof method === 'string') {
        onNotification(method, params, buffers);
      } else {
        this.#settle(content.rpc, buffers);
      }
    });
  }

  /** Sends a request; throws if the transport does. */
  request(method: string, params: object | null): Asked {
    const id = this.#asked++;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
    });
    // A cancelled request may reject without a listener.
    answer.catch(() => undefined);
    try {
      this.#send({ id, method, params });
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
    return { id, answer };
  }

  /** Cancels a request; a response that still arrives is ignored. */
  cancel(id: number): void {
    if (this.#open.delete(id)) {
      this.notify('$/cancelRequest', { id });
    }
  }

  /** Sends a notification. */
  notify(method: string, params: object): void {
    try {
      this.#send({ method, params });
    } catch {
      // The transport is closed; its owner is notified elsewhere.
    }
  }

  /** Ends the client: open requests reject. */
  close(why: Error): void {
    this.#leave();
    for (const { reject } of this.#open.values()) {
      reject(why);
    }
    this.#open.clear();
  }

  #send({ params, ...rest }: { id?: number; method: string; params: object | null }): void {
    const message = { jsonrpc: '2.0', ...rest, ...(params && { params }) };
    // The copy removes `undefined` values, which some transports reject.
    const rpc = JSON.parse(JSON.stringify(message)) as Envelope['rpc'];
    const { client, session } = this.#address;
    this.#transport.send({ sender: client, to: 'kernel', session, rpc });
  }

  #settle({ id, result, error }: Envelope['rpc'], buffers: ArrayBuffer[]): void {
    const open = this.#open.get(id as number);
    if (!open) {
      return;
    }
    this.#open.delete(id as number);
    if (typeof error === 'object' && error !== null) {
      const { code, message, data } = error as { code: number; message: string; data?: unknown };
      open.reject(new RpcError(code, message, data));
    } else {
      open.resolve({ result, buffers });
    }
  }
}
