// Speaks to attnlab's server with vscode-jsonrpc, and says as JSON what it has found.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  CancellationTokenSource,
  createMessageConnection
} from 'vscode-jsonrpc/node.js';

const [python, count] = [process.argv[2], Number(process.argv[3])];
const server = spawn(python, ['-m', 'tests.conformance.server'], {
  stdio: ['pipe', 'pipe', 'inherit']
});
const lines = createInterface({ input: server.stdout });
const listeners = new Set();
const first = new Promise(resolve => {
  lines.on('line', line => {
    const said = JSON.parse(line);
    if ('trace' in said) {
      resolve(said);
    }
    listeners.forEach(listener => listener(said));
  });
});
const { session, trace, text } = await first;
const write = envelope => server.stdin.write(JSON.stringify(envelope) + '\n');
const addressed = (sender, rpc) => ({ sender, to: 'kernel', session, rpc });

class Reader extends AbstractMessageReader {
  constructor(client) {
    super();
    this.client = client;
  }
  listen(callback) {
    const listener = ({ to, rpc }) => {
      if (to === this.client || to === '*') {
        callback(rpc);
      }
    };
    listeners.add(listener);
    return { dispose: () => listeners.delete(listener) };
  }
}

class Writer extends AbstractMessageWriter {
  constructor(client) {
    super();
    this.client = client;
  }
  async write(rpc) {
    write(addressed(this.client, rpc));
  }
  end() {}
}

const found = {};
const connection = createMessageConnection(new Reader('node'), new Writer('node'));
const progress = [];
const pushes = [];
connection.onNotification('$/progress', params => progress.push(params));
connection.onNotification('publish', params => pushes.push(params));
connection.listen();
const ask = (method, ...given) => connection.sendRequest(method, ...given);
const refusal = promise =>
  promise.then(
    () => null,
    ({ code, message }) => ({ code, message })
  );

found.early = await refusal(ask('state', null));
const greeting = { protocol: Number(process.argv[4]), client: 'vscode-jsonrpc', capabilities: [] };
found.initialize = await ask('initialize', greeting);
const place = { trace, item: 0 };
const head = { ...place, site: 1, head: 2 };
found.beyond = await refusal(ask('trace/head', { ...head, head: 99 }));
const asked = {
  state: null,
  'trace/item': place,
  'trace/thumbnails': { ...place, size: 16, sampled: false },
  'trace/head': head,
  'trace/row': { ...place, site: 1, query: 3 },
  'trace/tile': { ...head, level: 0, y: 0, x: 0 },
  'trace/topk': head,
  'trace/vectors': head,
  'trace/neuron': { ...head, query: 3 },
  'trace/scores': place,
  'trace/trialTexts': { trace },
  'trace/trial': { trace, texts: ['A dog'], limit: 99 },
  'textDocument/didOpen': { cell: 'cell', version: 1, text },
  'textDocument/didChange': {
    cell: 'cell',
    base: 1,
    version: 2,
    changes: [{ span: { start: text.indexOf('cat'), end: text.indexOf('cat') + 3 }, text: 'dog' }],
    limit: 99
  },
  'textDocument/didClose': { cell: 'cell' }
};
found.answers = {};
for (const [method, params] of Object.entries(asked)) {
  found.answers[method] = await ask(method, params);
  if (method === 'trace/trialTexts') {
    const start = text.indexOf('cat');
    const word = { ...head, cell: 'cell', span: { start, end: start + 3 }, heads: [2] };
    delete word.head;
    found.answers['textDocument/hover'] = await ask('textDocument/hover', word);
  }
}
found.pushed = pushes.map(push => Object.keys(push).sort());

const source = new CancellationTokenSource();
const cancelled = ask(
  'trace/head',
  { ...head, trace: pushes.at(-1).trace?.id ?? trace },
  source.token
);
source.cancel();
found.cancelled = await refusal(cancelled);
const whole = version => ({
  cell: 'cell',
  base: 0,
  version,
  changes: [{ text: text.replace('cat', `cat ${'x '.repeat(version)}`) }],
  limit: 999
});
const edits = [3, 4, 5, 6].map(version => ask('textDocument/didChange', whole(version)));
found.superseded = await Promise.all(edits.map(refusal));
found.unknown = await refusal(ask('no/such', {}));
found.misfit = await refusal(ask('trace/head', { ...head, head: 'first' }));

// --- what is malformed or hostile: an error with a code, or silence where there is no id ---

const odd = fc.oneof(
  fc.anything({ maxDepth: 3, withNullPrototype: true }),
  fc.constantFrom('__proto__', 'constructor', '\ud800', '\u0000', 'x'.repeat(5000), 1e308, -1, 2.5),
  fc.bigInt().map(String)
);
const methods = [...Object.keys(asked), 'textDocument/hover', 'subscribe', 'unsubscribe'];
const params = fc.oneof(
  odd,
  fc.constantFrom(...Object.values(asked)),
  fc
    .tuple(fc.constantFrom(...Object.values(asked).filter(Boolean)), fc.string(), odd)
    .map(([params, name, value]) => ({ ...params, [name]: value })),
  fc
    .tuple(fc.constantFrom(...Object.values(asked).filter(Boolean)), odd)
    .map(([params, value]) => ({ ...params, [Object.keys(params).at(-1)]: value }))
);
const hostile = fc.oneof(
  fc.record(
    {
      jsonrpc: fc.oneof({ weight: 5, arbitrary: fc.constant('2.0') }, odd),
      id: fc.oneof({ weight: 3, arbitrary: fc.constant('own') }, odd),
      method: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...methods) }, fc.string(), odd),
      params
    },
    { requiredKeys: [] }
  ),
  odd
);
const answers = new Map();
const strangers = new Set();
listeners.add(({ to, rpc }) => {
  if (to === 'raw' && rpc.id !== undefined) {
    answers.set(rpc.id, (answers.get(rpc.id) ?? []).concat(rpc));
    if (rpc.error && typeof rpc.error.code !== 'number') {
      strangers.add(JSON.stringify(rpc));
    }
  }
});
const until = ready =>
  new Promise((resolve, reject) => {
    const end = setTimeout(() => reject(new Error('no answer')), 60_000);
    const look = () => (ready() ? (clearTimeout(end), resolve()) : setTimeout(look, 2));
    look();
  });
write(addressed('raw', { jsonrpc: '2.0', id: 'hello', method: 'initialize', params: greeting }));
await until(() => answers.has('hello'));
let [sent, unanswered] = [0, 0];
for (const [i, rpc] of fc.sample(hostile, { numRuns: count, seed: 7 }).entries()) {
  const message =
    rpc && typeof rpc === 'object' && rpc.id === 'own' ? { ...rpc, id: `own${i}` } : rpc;
  try {
    write(addressed('raw', message));
  } catch {
    continue; // JSON itself does not take it.
  }
  sent++;
  write(addressed('raw', { jsonrpc: '2.0', id: `valid${i}`, method: 'state' }));
  if (i % 50 === 49) {
    await until(() => answers.has(`valid${i}`));
  }
  if (message?.id === `own${i}` && (await settled(`own${i}`)) !== 1) {
    unanswered++;
  }
}
async function settled(id) {
  await until(() => answers.has(id));
  return answers.get(id).length;
}
// They are answered by the worker, in any order.
await until(() => [...answers.keys()].filter(id => String(id).startsWith('valid')).length === sent);
const valid = [...answers.keys()].filter(id => String(id).startsWith('valid'));
found.hostile = {
  sent,
  unanswered,
  valid: valid.length,
  failed: valid.filter(id => answers.get(id).length !== 1 || !answers.get(id)[0].result).length,
  strangers: [...strangers]
};

// --- a page that shows nothing any more ------------------------------------------------------

found.answers.leave = await ask('leave', null);
found.left = await refusal(ask('state', null));
process.stdout.write(JSON.stringify(found));
server.stdin.end();
connection.dispose();
