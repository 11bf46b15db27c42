import { KernelMessage, type Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

import type { HubModel } from '../protocol/bridge';
import type { Envelope } from '../protocol/messages';
import { onCustomMessage, type Transport } from '../protocol/transport';

/** Milliseconds after which a kernel that has not told its features is taken to lack them. */
const PATIENCE = 1000;

/**
 * The hub's custom messages by the channel that answers while a cell runs.
 *
 * A kernel with subshells answers comm messages meanwhile. One without (ipykernel 6) would
 * leave them until the cell is done; there the backend also listens on the control channel.
 */
export class KernelTransport implements Transport {
  /** Whether to use the control channel. */
  control = false;
  readonly #model: HubModel;
  readonly #kernel: Kernel.IKernelConnection;

  constructor(model: HubModel, kernel: Kernel.IKernelConnection) {
    this.#model = model;
    this.#kernel = kernel;
  }

  /** Resolves once the kernel has told its features, which a busy one may put off. */
  async choose(): Promise<void> {
    const late = new Promise(resolve => setTimeout(resolve, PATIENCE));
    await Promise.race([this.#kernel.info, late]);
    this.control = !this.#kernel.supportsSubshells;
  }

  send(envelope: Envelope): void {
    if (this.control) {
      this.#sendOverControl(envelope);
    } else {
      this.#model.send(envelope);
    }
  }

  onMessage(listener: (content: unknown, buffers: ArrayBuffer[]) => void): () => void {
    return onCustomMessage(this.#model, listener);
  }

  #sendOverControl(envelope: Envelope): void {
    const message = KernelMessage.createMessage({
      msgType: 'comm_msg',
      channel: 'control',
      username: this.#kernel.username,
      session: this.#kernel.clientId,
      content: {
        // The hub opens its comm under its session's id.
        comm_id: envelope.session,
        data: { method: 'custom', content: envelope as unknown as JSONObject }
      }
      // The protocol defines comm messages for the shell channel only.
    } as unknown as KernelMessage.IOptions<KernelMessage.IInfoRequestMsg>);
    this.#kernel.sendControlMessage(
      message as unknown as KernelMessage.IControlMessage,
      false,
      true
    );
  }
}
