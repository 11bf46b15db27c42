/**
 * The one place where the hub's ESM and the labextension meet.
 *
 * anywidget loads the hub's ESM by itself, so the two share no module: they share one
 * global. It is plain data, so that either may create it first and versions may differ.
 */

/** What `@anywidget/types` calls `AnyModel`, as far as the hub needs it. */
export interface HubModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): void;
  on(name: string, callback: (...args: never[]) => void): void;
  off(name?: string | null, callback?: ((...args: never[]) => void) | null): void;
}

/** A hub model that the page has, and the kernel that it was made for. */
export interface Hub {
  readonly model: HubModel;
  /** Taken at once: the widget manager's `kernel` becomes another one later. */
  readonly kernel: string;
  /** Id of the page's own connection to the kernel; notebooks may share a kernel. */
  readonly connection: string;
  /** Fires when anywidget lets go of the model. */
  readonly signal: AbortSignal;
}

/** The value of `globalThis[BRIDGE]`. */
export interface Bridge {
  readonly hubs: Set<Hub>;
  readonly listeners: Set<(hub: Hub) => void>;
}

const BRIDGE = Symbol.for('attnlab.bridge.v1');

/** Returns the page's bridge, which it makes when it is the first to ask. */
export function bridge(): Bridge {
  const page = globalThis as { [BRIDGE]?: Bridge | undefined };
  return (page[BRIDGE] ??= { hubs: new Set(), listeners: new Set() });
}

/** Hands a hub over; it leaves by itself when its signal fires. */
export function offer(hub: Hub): void {
  const { hubs, listeners } = bridge();
  hubs.add(hub);
  hub.signal.addEventListener('abort', () => hubs.delete(hub), { once: true });
  for (const listener of [...listeners]) {
    listener(hub);
  }
}
