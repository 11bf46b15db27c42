import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { CellDocument } from '../../../state/kernel/cell-document';
import { KernelSession } from '../../../state/kernel/kernel-session';
import { TraceFollower } from '../../../state/panel/trace-follower';
import { KernelLink } from '../kernel-link';
import { CELL, FakePage, World } from './fake-jupyter';

vi.mock('@jupyterlab/services', () => ({
  KernelMessage: { createMessage: (options: object) => options }
}));

/** attnlab in one page. */
class Page extends FakePage {
  text = 'text 0';
  shown = this.#opened();

  #opened() {
    const session = new KernelSession(CellDocument);
    session.watch();
    const follower = new TraceFollower(session);
    const document = session.documents.follow(CELL, this.text, true);
    const link = new KernelLink(this.context, session, () => true);
    return { session, follower, document, link };
  }

  close(): void {
    this.shown.link.dispose();
    this.shown.session.dispose();
  }

  reload(): void {
    this.close();
    this.incoming.length = 0;
    this.sent.length = 0;
    this.shown = this.#opened();
    // The page's first question was lost with what was on its way.
    this.session.kernel.connect('connecting');
    this.session.kernel.connect('connected');
  }

  edit(text: string): void {
    this.text = text;
    this.shown.document.edit(text);
  }

  run(): void {
    const { text } = this;
    void this.shown.link.start();
    this.sent.push({ channel: 'shell', work: process => process.run(text) });
  }

  /** The backend that the panels are attached to, if they are. */
  get backend() {
    const client = this.shown.session.backend.peek()?.client;
    return this.world.backends.find(({ clients }) => clients.has(client ?? '')) ?? null;
  }

  /** What the panel and the status bar say. */
  get says() {
    return { status: this.shown.follower.status.peek(), phase: this.shown.document.phase.peek() };
  }
}

type Step = [action: keyof typeof ACTIONS, page: number, number: number];

/** What may happen, and how often. */
const ACTIONS = {
  deliver: 30,
  work: 30,
  calm: 20,
  wait: 8,
  edit: 10,
  together: 10,
  run: 16,
  outside: 3,
  busy: 2,
  free: 12,
  lose: 3,
  repeat: 3,
  delay: 3,
  reload: 2,
  drop: 2,
  connect: 16,
  restart: 2,
  request: 2,
  kill: 1,
  revive: 12,
  change: 1,
  poll: 10
};

/** Signs that a server drops where a cell prints too much; it never drops others. */
const DROPPED = new Set(['comm_msg', 'shutdown_reply']);

let world: World;
let pages: Page[];
let edits = 0;

async function act([action, number, n]: Step): Promise<void> {
  const page = pages[number]!;
  switch (action) {
    case 'deliver':
      page.take();
      break;
    case 'work':
      world.process?.work(page);
      break;
    case 'calm':
      await calm();
      break;
    case 'wait':
      await vi.advanceTimersByTimeAsync([5, 50, 500, 2000, 5000, 20_000][n % 6]!);
      break;
    case 'edit':
      page.edit(`text ${++edits}`);
      break;
    case 'together':
      // As with jupyter-collaboration: an edit reaches all pages, apart from the kernel.
      edits++;
      pages.forEach(each => each.edit(`text ${edits}`));
      break;
    case 'run':
      page.run();
      break;
    case 'outside':
      // A server that executes cells itself, or a console: no page takes part.
      world.process?.run(page.text);
      break;
    case 'busy':
    case 'free':
      if (world.process) {
        world.process.busy = action === 'busy';
        world.process.tell('status', { execution_state: action === 'busy' ? 'busy' : 'idle' });
      }
      break;
    case 'lose':
      page.lose(n, DROPPED);
      break;
    case 'repeat':
      page.repeat(n);
      break;
    case 'delay':
      page.delay(n);
      break;
    case 'reload':
      page.reload();
      break;
    case 'drop':
      page.drop();
      break;
    case 'connect':
      page.connect();
      break;
    case 'restart':
      world.restart(page);
      break;
    case 'request':
      world.restart();
      break;
    case 'kill':
      world.kill();
      break;
    case 'revive':
      world.revive();
      break;
    case 'change':
      world.change();
      break;
    case 'poll':
      page.poll();
  }
  await vi.advanceTimersByTimeAsync(0);
}

/** All that is on its way arrives, and is done as far as the kernel can. */
async function calm(): Promise<void> {
  while (pages.some(page => page.incoming.length > 0 || world.process?.work(page))) {
    pages.forEach(page => page.take());
    await vi.advanceTimersByTimeAsync(0);
  }
}

/** Everybody is connected, all is done, and all that waits for a moment has waited. */
async function settle(): Promise<void> {
  world.revive();
  world.process!.busy = false;
  for (let round = 0; round < 400; round++) {
    if (round === 300) {
      // That the last push was lost shows at the next one.
      world.process!.backend?.push();
    }
    for (const page of pages) {
      page.poll();
      page.connect();
    }
    await calm();
    await vi.advanceTimersByTimeAsync(200);
  }
}

/** Nobody who knows of a process's end is attached to it, or claims to be live on it. */
function checkStep(): void {
  for (const page of pages) {
    const { backend } = page;
    const { status, phase } = page.says;
    if (backend) {
      expect(backend.process.number).toBeGreaterThan(page.ended);
    }
    if (phase === 'live' || status.kind === 'live') {
      expect(backend).not.toBeNull();
      expect(page.shown.document.source.peek()?.text).toBe(page.text);
    }
  }
}

function checkEnd(): void {
  const { backend } = world.process!;
  for (const page of pages) {
    const { status, phase } = page.says;
    expect(page.backend?.session).toBe(backend?.session);
    const text = backend?.text ?? null;
    if (text === null) {
      expect(phase).toBe('stale');
      expect(`${status.message} ${status.remedy ?? ''}`).toMatch(
        /run the cell again|No watched cell has run yet|has not run yet/
      );
    } else {
      expect(phase).toBe(text === page.text ? 'live' : 'stale');
      expect(status.kind).toBe(text === page.text ? 'live' : 'stale');
      expect(status.message).toBe(
        text === page.text ? 'Updates as you type.' : 'The text of the cell has changed.'
      );
    }
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    ...Object.entries(ACTIONS).map(([action, weight]) => ({
      arbitrary: fc.constant(action as keyof typeof ACTIONS),
      weight
    }))
  ),
  fc.nat({ max: 1 }),
  fc.nat({ max: 1000 })
);

async function life(control: boolean, steps: Step[]): Promise<void> {
  world = new World(control);
  pages = [new Page(world), new Page(world)];
  try {
    for (const each of steps) {
      await act(each);
      checkStep();
    }
    await settle();
    checkStep();
    checkEnd();
  } finally {
    pages.forEach(page => page.close());
  }
}

test.each([
  ['hears the control channel', true],
  ['has comms on the shell channel alone', false]
])(
  'two pages find the present process of a kernel that %s',
  async (_, control) => {
    const steps = fc.array(step, { minLength: 200, maxLength: 400, size: 'max' });
    const lives = fc.asyncProperty(steps, each => life(control, each));
    await fc.assert(lives, { numRuns: 100, seed: 15 });
  },
  120_000
);
