import type { Envelope } from './messages';

/** The part of `AnyModel` of `@anywidget/types` that attnlab uses. */
export interface HubModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

/** Sends envelopes to the kernel and receives its messages. */
export interface Transport {
  send(envelope: Envelope): void;
  /** Calls `listener` with every message, valid or not; returns its disposer. */
  onMessage(listener: (content: unknown, buffers: ArrayBuffer[]) => void): () => void;
}

/** Returns the buffer of a view, copied if the view covers only a part of it. */
export function exact(buffer: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) {
    return buffer;
  }
  const { buffer: memory, byteOffset, byteLength } = buffer;
  if (memory instanceof ArrayBuffer && byteLength === memory.byteLength) {
    return memory;
  }
  // All buffers of a message share one websocket message; typed arrays need alignment.
  return memory.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

/** A transport of custom messages of the hub widget through a widget manager. */
export function hubTransport(model: HubModel): Transport {
  return {
    send: envelope => {
      model.send(envelope);
    },
    onMessage: listener => {
      const receive = (content: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[] | null) => {
        listener(content, (buffers ?? []).map(exact));
      };
      model.on('msg:custom', receive);
      return () => {
        model.off('msg:custom', receive);
      };
    }
  };
}
