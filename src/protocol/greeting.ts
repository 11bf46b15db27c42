import type { Backend } from './backend';
import { PROTOCOL, type State } from './messages';
import { RpcError, UnansweredError } from './rpc-error';

/** The command that installs all packages that a kernel needs. */
export const INSTALL = "pip install 'attnlab[kernel]'";

/** The outcome of introducing a client to the kernel's backend. */
export type Greeting =
  | { outcome: 'met'; capabilities: readonly string[]; state: State }
  /** Packages are missing, as arguments of `pip install`. */
  | { outcome: 'lacks'; packages: readonly string[] }
  /** There was no response; the kernel may be busy. */
  | { outcome: 'unanswered' }
  /** The backend has another protocol version, or failed. */
  | { outcome: 'refused'; message: string; remedy?: string };

/** Sends `initialize`, the first request of every connection. */
export async function greet(backend: Backend, signal?: AbortSignal): Promise<Greeting> {
  try {
    const params = { protocol: PROTOCOL, client: 'attnlab', capabilities: [] };
    const { result } = await backend.request('initialize', params, signal);
    const { missing, capabilities, state } = result;
    return missing.length > 0
      ? { outcome: 'lacks', packages: missing }
      : { outcome: 'met', capabilities, state };
  } catch (error) {
    if (error instanceof UnansweredError) {
      return { outcome: 'unanswered' };
    }
    const message = error instanceof Error ? error.message : String(error);
    const remedy = error instanceof RpcError ? remedyOf(error) : undefined;
    return { outcome: 'refused', message, ...(remedy !== undefined && { remedy }) };
  }
}

function remedyOf({ data }: RpcError): string | undefined {
  if (typeof data === 'object' && data !== null && 'remedy' in data) {
    return typeof data.remedy === 'string' ? data.remedy : undefined;
  }
  return undefined;
}
