import type { HubModel } from '../protocol/bridge';
import { Connection } from '../protocol/connection';
import { greet, INSTALL } from '../protocol/greeting';
import { hubTransport } from '../protocol/transport';
import type { Session } from '../state/session';

/** The hub as Jupyter's widget manager holds it: it tells when its kernel is gone. */
export interface LiveHub extends HubModel {
  readonly comm_live?: boolean;
}

/** The view's own model, which names the hub. */
export interface InlineModel extends HubModel {
  readonly widget_manager?: { get_model?: (id: string) => Promise<LiveHub> };
}

const BUSY = { kind: 'waiting', message: 'The kernel is busy; waiting for it.' } as const;
const NO_KERNEL = 'This output has no kernel behind it; run the cell again.';
const NO_WIDGETS = 'This program lets no widget reach another one, which the view needs.';
const RESTARTED = 'Kernel restarted, run the cell again.';
const CLOSED = 'The backend in the kernel is closed; run the cell again.';

/** Shows in a session what the kernel behind a view holds, until the signal aborts. */
export async function linkHub(model: InlineModel, session: Session, until: AbortSignal) {
  session.say({ kind: 'starting', message: 'Reaching attnlab in the kernel.' });
  const manager = model.widget_manager;
  if (!manager?.get_model) {
    session.detach(NO_WIDGETS);
    return;
  }
  let hub: LiveHub;
  try {
    hub = await manager.get_model(String(model.get('hub')));
  } catch (error) {
    console.warn('attnlab: the hub is not there.', error);
    if (!until.aborted) {
      session.detach(NO_KERNEL);
    }
    return;
  }
  if (hub.comm_live === false) {
    // A notebook that was opened again shows what it has stored.
    session.detach(NO_KERNEL);
  } else if (!until.aborted) {
    await connect(hub, session, until);
  }
}

async function connect(hub: LiveHub, session: Session, until: AbortSignal): Promise<void> {
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
  const lose = (why: string, remedy?: string) => {
    close(why);
    session.detach(why, remedy);
  };
  const onLive = () => {
    if (hub.comm_live === false) {
      lose(RESTARTED);
    }
  };
  const onDestroy = () => lose(CLOSED);
  hub.on('comm_live_update', onLive);
  hub.on('destroy', onDestroy);
  until.addEventListener('abort', () => close('The view is closed.'), { once: true });
  for (;;) {
    const greeting = await greet(connection);
    if (closed.signal.aborted) {
      return;
    }
    switch (greeting.outcome) {
      case 'met':
        session.attach(connection, greeting.state);
        return;
      case 'lacks':
        lose(`The kernel's environment lacks ${greeting.packages.join(', ')}.`, INSTALL);
        return;
      case 'refused':
        lose(greeting.message, greeting.remedy);
        return;
      case 'unanswered':
        session.say(BUSY);
    }
  }
}
