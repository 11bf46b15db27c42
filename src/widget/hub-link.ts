import { Connection } from '../protocol/connection';
import { greet, INSTALL } from '../protocol/greeting';
import { hubTransport, type HubModel } from '../protocol/transport';
import * as messages from '../state/kernel/user-messages';
import { formatMessage, type UserMessage } from '../state/kernel/user-messages';
import type { KernelSession } from '../state/kernel/kernel-session';

/** The hub's model in Jupyter's widget manager, which reports when its kernel is lost. */
export interface LiveHub extends HubModel {
  readonly comm_live?: boolean;
}

/** The model of the inline view, which has the hub's id. */
export interface InlineModel extends HubModel {
  readonly widget_manager?: { get_model?: (id: string) => Promise<LiveHub> };
}

/** Attaches a session to the kernel of an inline view, until the signal aborts. */
export async function linkHub(model: InlineModel, session: KernelSession, until: AbortSignal) {
  session.setStatus({ kind: 'starting', message: messages.REACHING });
  const manager = model.widget_manager;
  if (!manager?.get_model) {
    session.detach(messages.NO_WIDGETS);
    return;
  }
  let hub: LiveHub;
  try {
    hub = await manager.get_model(String(model.get('hub')));
  } catch (error) {
    console.warn('attnlab: the hub was not found.', error);
    if (!until.aborted) {
      session.detach(messages.NO_KERNEL);
    }
    return;
  }
  if (hub.comm_live === false) {
    // A reopened notebook shows stored output without a kernel.
    session.detach(messages.NO_KERNEL);
  } else if (!until.aborted) {
    await connect(hub, session, until);
  }
}

async function connect(hub: LiveHub, session: KernelSession, until: AbortSignal): Promise<void> {
  const closed = new AbortController();
  const connection = new Connection(hubTransport(hub), {
    session: String(hub.get('session')),
    expectsSilence: () => hub.get('state') === 'running'
  });
  const close = (why: string) => {
    closed.abort();
    connection.close(why);
    hub.off('comm_live_update', onLive);
    hub.off('destroy', onDestroy);
  };
  const lose = (why: UserMessage) => {
    close(formatMessage(why));
    const { message, ...more } = why;
    session.detach(message, more);
  };
  const onLive = () => {
    if (hub.comm_live === false) {
      lose({ message: messages.RESTARTED });
    }
  };
  const onDestroy = () => lose({ message: messages.BACKEND_CLOSED });
  hub.on('comm_live_update', onLive);
  hub.on('destroy', onDestroy);
  until.addEventListener('abort', () => close(messages.VIEW_CLOSED), { once: true });
  for (;;) {
    await session.whenWatched(until);
    const greeting = await greet(connection);
    if (closed.signal.aborted) {
      return;
    }
    switch (greeting.outcome) {
      case 'met':
        session.attach(connection, greeting.state);
        return;
      case 'lacks':
        lose({ ...messages.missingPackages(greeting.packages), remedy: INSTALL });
        return;
      case 'refused':
        lose({
          message: greeting.message,
          ...(greeting.remedy !== undefined && { remedy: greeting.remedy })
        });
        return;
      case 'unanswered':
        session.setStatus({ kind: 'waiting', message: messages.BUSY });
    }
  }
}
