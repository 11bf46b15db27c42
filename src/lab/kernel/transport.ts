import { KernelMessage, type Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

import type { Envelope } from '../../protocol/messages';
import { exact, type Transport } from '../../protocol/transport';

/**
 * Transports the custom messages of a backend's hub directly over the kernel connection.
 *
 * It uses neither a widget manager nor JupyterLab's comms: after a restart by another page,
 * JupyterLab still addresses subshells of the previous process, and only one of two notebooks on
 * the same kernel receives comm messages.
 */
export class KernelTransport implements Transport {
  /**
   * Whether to use the control channel, on which a backend in ipykernel answers while a cell runs.
   * Other kernels support comms only on the shell channel.
   */
  control = true;
  readonly #kernel: Kernel.IKernelConnection;
  readonly #comm: string;

  /** @param comm - Comm id of the hub, which is the backend's session. */
  constructor(kernel: Kernel.IKernelConnection, comm: string) {
    this.#kernel = kernel;
    this.#comm = comm;
  }

  send(envelope: Envelope): void {
    const data = { method: 'custom', content: envelope as unknown as JSONObject };
    const message = KernelMessage.createMessage<KernelMessage.ICommMsgMsg<'shell'>>({
      msgType: 'comm_msg',
      // The protocol defines comm messages for the shell channel only.
      channel: (this.control ? 'control' : 'shell') as 'shell',
      username: this.#kernel.username,
      session: this.#kernel.clientId,
      content: { comm_id: this.#comm, data }
    });
    if (this.control) {
      const controlled = message as unknown as KernelMessage.IControlMessage;
      this.#kernel.sendControlMessage(controlled, false, true);
    } else {
      this.#kernel.sendShellMessage(message, false, true);
    }
  }

  onMessage(listener: (content: unknown, buffers: ArrayBuffer[]) => void): () => void {
    const receive = (_: unknown, { msg, direction }: Kernel.IAnyMessageArgs) => {
      if (direction !== 'recv' || msg.channel !== 'iopub' || msg.header.msg_type !== 'comm_msg') {
        return;
      }
      const { comm_id, data } = msg.content as KernelMessage.ICommMsgMsg['content'];
      if (comm_id === this.#comm && data.method === 'custom') {
        listener(data.content, (msg.buffers ?? []).map(exact));
      }
    };
    this.#kernel.anyMessage.connect(receive);
    return () => {
      this.#kernel.anyMessage.disconnect(receive);
    };
  }
}
