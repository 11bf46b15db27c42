import type { Envelope } from '../messages';
import type { Transport } from '../transport';

interface Rpc {
  id?: number;
  method?: string;
  params?: unknown;
}

/** A kernel end that records what it gets and answers only when a test says so. */
export class FakeKernel implements Transport {
  readonly session = 'abc';
  readonly received: (Rpc & { sender: string })[] = [];
  readonly #listeners = new Set<(content: unknown, buffers: ArrayBuffer[]) => void>();

  send(envelope: Envelope): void {
    this.received.push({ ...(envelope.rpc as Rpc), sender: envelope.sender });
  }

  onMessage(listener: (content: unknown, buffers: ArrayBuffer[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  requests(method: string): Rpc[] {
    return this.received.filter(rpc => rpc.method === method);
  }

  emit(content: unknown, buffers: ArrayBuffer[] = []): void {
    for (const listener of this.#listeners) {
      listener(content, buffers);
    }
  }

  tell(to: string, rpc: object, buffers: ArrayBuffer[] = [], session = this.session): void {
    this.emit({ sender: 'kernel', to, session, rpc: { jsonrpc: '2.0', ...rpc } }, buffers);
  }
}
