import type { Envelope } from './messages';

/** The client, and the session of the backend that it communicates with. */
export interface Address {
  readonly client: string;
  readonly session: string;
}

function isEnvelope(content: unknown): content is Envelope {
  if (typeof content !== 'object' || content === null) {
    return false;
  }
  const { sender, to, session, rpc } = content as Partial<Record<keyof Envelope, unknown>>;
  return (
    typeof sender === 'string' &&
    typeof to === 'string' &&
    typeof session === 'string' &&
    typeof rpc === 'object' &&
    rpc !== null
  );
}

/** Whether the kernel sent a message to this client: every message reaches every page. */
export function isFor(address: Address, content: unknown): content is Envelope {
  return (
    isEnvelope(content) &&
    content.sender === 'kernel' &&
    content.session === address.session &&
    (content.to === address.client || content.to === '*')
  );
}
