import type { Backend } from './backend';
import { PROTOCOL, type State } from './messages';
import { RpcError, UnansweredError } from './rpc-error';

/** What installs all that a kernel's environment needs. */
export const INSTALL = "pip install 'attnlab[kernel]'";

/** How the kernel's backend has taken up a client. */
export type Greeting =
  | { outcome: 'met'; capabilities: readonly string[]; state: State }
  /** Its environment lacks these, as arguments of `pip install`. */
  | { outcome: 'lacks'; packages: readonly string[] }
  /** It has said nothing; the kernel may be busy. */
  | { outcome: 'unanswered' }
  /** It speaks another version of the protocol, or fails. */
  | { outcome: 'refused'; message: string; remedy?: string };

/** Introduces this client to the backend, which every connection begins with. */
export async function greet(backend: Backend): Promise<Greeting> {
  try {
    const { result } = await backend.request('initialize', {
      protocol: PROTOCOL,
      client: 'attnlab',
      capabilities: []
    });
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
