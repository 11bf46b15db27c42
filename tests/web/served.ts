/** A panel on a kernel that is out of the page: its envelopes come and go by HTTP. */
import { readPalette } from '../../src/draw/palette';
import { Connection } from '../../src/protocol/connection';
import { PROTOCOL } from '../../src/protocol/messages';
import type { Transport } from '../../src/protocol/transport';
import { CellDocument } from '../../src/state/kernel/cell-document';
import { PanelState } from '../../src/state/panel/panel';
import { KernelSession } from '../../src/state/kernel/kernel-session';
import { mountPanel } from '../../src/views';
import { base64 } from './base64';

type Listener = (content: unknown, buffers: ArrayBuffer[]) => void;

/** What `tests/web/served.py` answers: one post after the other, in order. */
class HttpTransport implements Transport {
  private readonly listeners = new Set<Listener>();
  private sending: Promise<unknown> = Promise.resolve();

  send(envelope: unknown): void {
    const post = { method: 'POST', body: JSON.stringify(envelope) };
    // One after the other: the kernel must get them in the order in which they were sent.
    this.sending = this.sending.then(() => fetch('envelopes', post));
  }

  onMessage(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hands on what the kernel posts, for as long as the page lives. */
  async listen(): Promise<never> {
    for (;;) {
      const answer = await fetch('envelopes');
      if (answer.status === 200) {
        const body = await answer.arrayBuffer();
        let at = 0;
        const sizes = answer.headers.get('X-Sizes')!.split(' ').map(Number);
        const [said, ...buffers] = sizes.map(size => body.slice(at, (at += size)));
        const envelope: unknown = JSON.parse(new TextDecoder().decode(said));
        this.listeners.forEach(listener => listener(envelope, buffers));
      }
    }
  }
}

const state = new PanelState('served', new KernelSession(CellDocument));
mountPanel(document.getElementById('panel')!, state, {
  translate: text => text,
  hasCell: () => true,
  actions: {},
  signal: new AbortController().signal
});
const transport = new HttpTransport();
const session = new URLSearchParams(location.search).get('session')!;
const connection = new Connection(transport, { session });
void transport.listen();
void connection
  .request('initialize', { protocol: PROTOCOL, client: 'served', capabilities: [] })
  .then(({ result }) => state.session.attach(connection, result.state));
const ramp = () => [...readPalette(document.getElementById('panel')!).ramp];
Object.assign(globalThis, { lab: { state, ramp, base64 } });
