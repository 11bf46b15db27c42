import type { Backend } from '../../protocol/backend';
import { greet, type Greeting } from '../../protocol/greeting';
import type { State } from '../../protocol/messages';
import { BUSY, formatMessage, missingPackages, type UserMessage } from './user-messages';

/** A request for the whole state of a kernel. */
export type StateRequest = (backend: Backend, signal: AbortSignal) => Promise<State>;

/** Requests the state as a client that the kernel knows. */
export async function requestState(backend: Backend, signal: AbortSignal): Promise<State> {
  return (await backend.request('state', null, signal)).result;
}

/** Introduces this client again to a kernel that it left; the reply includes the state. */
export async function rejoin(backend: Backend, signal: AbortSignal): Promise<State> {
  const greeting = await greet(backend, signal);
  if (greeting.outcome === 'met') {
    return greeting.state;
  }
  throw new Error(formatMessage(refusalOf(greeting)));
}

/** Returns why a kernel refuses this client. */
function refusalOf(greeting: Exclude<Greeting, { outcome: 'met' }>): UserMessage {
  switch (greeting.outcome) {
    case 'lacks':
      return missingPackages(greeting.packages);
    case 'refused':
      return greeting;
    case 'unanswered':
      return { message: BUSY };
  }
}
