import { isFor, type Address } from './envelope';
import type { Envelope } from './messages';
import { RpcError } from './rpc-error';
import type { Transport } from './transport';

/** What an answer brings: JSON-RPC knows no binary buffers, so they stand beside the result. */
export interface Answer {
  result: unknown;
  buffers: ArrayBuffer[];
}

/** A request on its way. */
export interface Asked {
  /** Names the request in `cancel`, and in the kernel's notes of progress. */
  readonly id: number;
  /** Rejects with an `RpcError`; never settles where the kernel says nothing. */
  readonly answer: Promise<Answer>;
}

/** What the kernel says unasked. */
export type OnNotification = (method: string, params: unknown, buffers: ArrayBuffer[]) => void;

interface Open {
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

/** The client's half of JSON-RPC 2.0, in envelopes: each request gets the one answer to it. */
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

  /** Throws where the transport takes nothing. */
  request(method: string, params: object | null): Asked {
    const id = this.#asked++;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
    });
    // Whoever has given a request up does not listen to how it ends.
    answer.catch(() => undefined);
    try {
      this.#send({ id, method, params });
    } catch (error) {
      this.#open.delete(id);
      throw error;
    }
    return { id, answer };
  }

  /** Gives a request up: the kernel need not go on with it, and what it still says is dropped. */
  cancel(id: number): void {
    if (this.#open.delete(id)) {
      this.notify('$/cancelRequest', { id });
    }
  }

  /** Says something that has no answer; nobody learns whether it came. */
  notify(method: string, params: object): void {
    try {
      this.#send({ method, params });
    } catch {
      // What carries the messages is gone, which its owner learns by other ways.
    }
  }

  /** Hears nothing any more; what is open rejects. */
  close(why: Error): void {
    this.#leave();
    for (const { reject } of this.#open.values()) {
      reject(why);
    }
    this.#open.clear();
  }

  #send({ params, ...rest }: { id?: number; method: string; params: object | null }): void {
    const message = { jsonrpc: '2.0', ...rest, ...(params && { params }) };
    // Without a copy, values that are `undefined` would reach transports that refuse them.
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
