import type { HubModel } from './bridge';
import type { Envelope } from './messages';

/** Carries envelopes to the kernel and back. */
export interface Transport {
  send(envelope: Envelope): void;
  /** Calls `listener` with every message, of whatever form; returns its disposer. */
  onMessage(listener: (content: unknown, buffers: ArrayBuffer[]) => void): () => void;
}

/** Returns the memory of a view, copied where the view covers only a part of it. */
function exact(buffer: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) {
    return buffer;
  }
  const { buffer: memory, byteOffset, byteLength } = buffer;
  if (memory instanceof ArrayBuffer && byteLength === memory.byteLength) {
    return memory;
  }
  // A websocket message holds all buffers of a message; typed arrays need alignment.
  return memory.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

/** Listens to the hub's custom messages; returns the disposer. */
export function onCustomMessage(
  model: HubModel,
  listener: (content: unknown, buffers: ArrayBuffer[]) => void
): () => void {
  const receive = (content: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[] | null) => {
    listener(content, (buffers ?? []).map(exact));
  };
  model.on('msg:custom', receive);
  return () => {
    model.off('msg:custom', receive);
  };
}

/** The ordinary way: custom messages of the hub widget. */
export function hubTransport(model: HubModel): Transport {
  return {
    send: envelope => {
      model.send(envelope);
    },
    onMessage: listener => onCustomMessage(model, listener)
  };
}
