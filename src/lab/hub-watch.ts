import type { Kernel } from '@jupyterlab/services';

import { bridge, type Hub } from '../protocol/bridge';

/**
 * Returns the page's hub for a kernel, the newest first.
 *
 * Two notebooks may share a kernel; only one of their connections takes part in comms, so
 * the other notebook uses that one's hub.
 */
export function hubOf(kernel: Kernel.IKernelConnection): Hub | undefined {
  const hubs = [...bridge().hubs].filter(hub => hub.kernel === kernel.id).reverse();
  return hubs.find(hub => hub.connection === kernel.clientId) ?? hubs[0];
}

/** Forgets the hubs of a kernel that has restarted: nothing else tells that they are deaf. */
export function forgetKernel(id: string): void {
  forget(hub => hub.kernel === id);
}

/** Forgets the hubs of a connection that is closed, though its kernel may live on. */
export function forgetConnection(clientId: string): void {
  forget(hub => hub.connection === clientId);
}

function forget(gone: (hub: Hub) => boolean): void {
  for (const hub of [...bridge().hubs].filter(gone)) {
    bridge().hubs.delete(hub);
  }
}
