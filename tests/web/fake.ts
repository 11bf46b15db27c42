/** A kernel in the page: deterministic traces behind the interface of a real connection. */
import { mountPanel, type PanelActions } from '../../src/views';
import { readPalette } from '../../src/draw/palette';
import { CellDocument } from '../../src/state/kernel/cell-document';
import { PanelState } from '../../src/state/panel/panel';
import { KernelSession } from '../../src/state/kernel/kernel-session';
import type { Backend } from '../../src/protocol/backend';
import { base64 } from './base64';
import { topkOf, rowOf } from './fake-head';
import { answerOf, keysOf, queryOf } from './fake-neuron';
import { tileOf } from './fake-tile';
import { LABELS, scoresOf } from './fake-scores';
import type {
  Payload,
  ProgressParams,
  PublishParams,
  SelectionState,
  SelectionParams,
  SequenceSummary,
  SiteSummary,
  State,
  SubscribeParams,
  Token,
  BatchItem,
  TraceSummary
} from '../../src/protocol/messages';

interface Shape {
  id?: string;
  cell?: string;
  call?: number;
  calls?: number;
  execution?: number;
  model?: string;
  words: string[];
  keyWords?: string[];
  /** The words of the batch's other items. */
  batch?: string[][];
  /** Further sequences, for sites that name them as rows or columns. */
  further?: { name: SequenceSummary['name']; words: string[] }[];
  generated?: number;
  /** Whether its generated tokens are those of an earlier prompt: without rows or weights. */
  stale?: boolean;
  /** Whether the words have probabilities and ranks. */
  predicted?: boolean;
  /** Whether sampled thumbnails lack what the whole ones show. */
  samples?: boolean;
  layers?: number;
  heads?: number;
  groups?: number;
  sites?: Partial<SiteSummary>[];
  notes?: string[];
  /** What every row sums to. */
  mass?: number;
  /** Dimensions of a head's vectors. */
  width?: number;
  /** Whether its pairs of dimensions were seen to be rotated. */
  rotary?: boolean;
  /** A query whose row is NaN. */
  nan?: number;
  /** The first of the queries at the end whose rows are NaN, as of padding. */
  padded?: number;
  /** Whether its text was only tried. */
  trial?: boolean;
}

interface Held extends Shape {
  summary: TraceSummary;
}

/** Dimensions of a head's vectors where a shape names none. */
const WIDTH = 32;

function tokens(words: string[]): Token[] {
  let at = 0;
  return words.map((text, i) => {
    const special = /^\[.*\]$/.test(text) || /^<.>$/.test(text);
    const padding = text === '[PAD]';
    const joined = text.startsWith('##');
    const shown = joined ? text.slice(2) : text;
    const start = special ? -1 : joined ? at : at + 1;
    at = special ? at : start + shown.length;
    return {
      id: hash(text) % 30000,
      text: shown,
      piece: text,
      special,
      start,
      end: special ? -1 : at,
      part:
        text.startsWith('�') ||
        (words[i - 1] === text && text.length <= 2 && /[^\x00-\x7f]/.test(text)),
      padding
    };
  });
}

function hash(text: string): number {
  return [...text].reduce((sum, c) => (sum * 31 + (c.codePointAt(0) ?? 0)) >>> 0, 7);
}

function noise(...seeds: number[]): number {
  const x =
    Math.sin(seeds.reduce((sum, seed, i) => sum + seed * (12.9898 + i * 37.719), 1)) * 43758.5453;
  return x - Math.floor(x);
}

/** Heads by trace and place: a long one takes a script long to compute. */
const heads = new WeakMap<Held, Map<string, Float32Array>>();

/** One head's weights; what the panel is compared to. */
export function matrix(trace: Held, site: SiteSummary, head: number, item = 0): Float32Array {
  const known = heads.get(trace) ?? new Map<string, Float32Array>();
  heads.set(trace, known);
  const name = `${site.index} ${head} ${item}`;
  const weights = known.get(name) ?? computed(trace, site, head, item);
  known.set(name, weights);
  return weights;
}

/** Whether a token stays from an earlier prompt: it has no row, and no query attends to it. */
function isStale({ stale, generated = Infinity }: Shape, index: number): boolean {
  return stale === true && index >= generated;
}

/** A pattern by head, softmaxed. */
function computed(trace: Held, site: SiteSummary, head: number, item: number): Float32Array {
  const { queries: n, keys: m } = site;
  const out = new Float32Array(n * m);
  const pattern = Math.floor(noise(site.index, head, 3 + item) * 5);
  for (let q = 0; q < n; q++) {
    let sum = 0;
    for (let k = 0; k < m; k++) {
      const target = [q - 1, q, 0, m - 1, -1][pattern] ?? -1;
      const hidden = (site.kind === 'decoder' && k > q) || isStale(trace, k);
      const score =
        (k === target ? 5 + Math.max(0, Math.log(m / 12)) : 0) +
        2.2 * noise(q, k, head, site.index + 100 * item);
      const e = hidden ? 0 : Math.exp(score);
      out[q * m + k] = e;
      sum += e;
    }
    for (let k = 0; k < m; k++) {
      const value = (out[q * m + k]! / sum) * (trace.mass ?? 1);
      const empty = q === trace.nan || q >= (trace.padded ?? n) || isStale(trace, q);
      out[q * m + k] = empty ? NaN : value;
    }
  }
  return out;
}

/** Pairs of a token and a pixel that shows it. */
function cover(tokens: number, pixels: number): [number, number][] {
  return Array.from({ length: Math.max(tokens, pixels) }, (_, i) =>
    tokens < pixels
      ? [Math.floor((i * tokens) / pixels), i]
      : [i, Math.floor((i * pixels) / tokens)]
  );
}

function thumbnails(
  trace: Held,
  size: number,
  item: number,
  sampled: boolean
): { shape: number[]; data: Uint8Array } {
  const { sites } = trace.summary;
  const n = Math.max(...sites.map(site => site.queries));
  const m = Math.max(...sites.map(site => site.keys));
  const [rows, columns] = [Math.min(size, n), Math.min(size, m)];
  const total = sites.reduce((sum, site) => sum + site.heads, 0);
  const data = new Uint8Array(total * rows * columns);
  let base = 0;
  for (const site of sites) {
    for (let head = 0; head < site.heads; head++, base += rows * columns) {
      const weights = matrix(trace, site, head, item);
      // As the kernel does: bins where there are more tokens than pixels, else repeated.
      const at = (y: number, x: number) => base + y * columns + x;
      const seen = cover(site.queries, rows).filter(([q]) => !sampled || q % 4 === 0);
      for (const [q, y] of seen) {
        for (const [k, x] of cover(site.keys, columns)) {
          const weight = Math.round((weights[q * site.keys + k] || 0) * 255);
          data[at(y, x)] = Math.max(data[at(y, x)]!, weight);
        }
      }
    }
  }
  return { shape: [total, rows, columns], data };
}

export class FakeKernel implements Backend {
  readonly client = 'fake';
  readonly log: { method: string; params: unknown }[] = [];
  traces: Held[] = [];
  state: State = {
    revision: 0,
    running: null,
    last: null,
    traces: [],
    problems: [],
    sources: []
  };
  subscription: SubscribeParams | null = null;
  /** Milliseconds until an answer; below zero for never. */
  delay = 5;
  /** Why no other text can be tried; empty where one can. */
  untried = '';
  private tries = 0;
  /** Why an edited text cannot be shown without running the cell, and at which character. */
  refused: { at: number; why: string } | null = null;
  /** Methods whose answers wait until `release`. */
  readonly held = new Set<string>();
  private waiting: { go: () => void; onProgress?: (progress: ProgressParams) => void }[] = [];
  private readonly publishers = new Set<(params: PublishParams, buffers: ArrayBuffer[]) => void>();
  private readonly setters = new Set<(params: SelectionParams) => void>();
  private readonly mourners = new Set<(why: string) => void>();

  /** Answers what was held, and holds nothing any more. */
  release(): void {
    this.held.clear();
    this.waiting.splice(0).forEach(({ go }) => go());
  }

  /** Reports on what is held. */
  progress(done: number, total: number): void {
    this.waiting.forEach(({ onProgress }) => onProgress?.({ id: 0, done, total, operation: '' }));
  }

  async request(
    method: string,
    params: any,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<any> {
    this.log.push({ method, params });
    await new Promise<void>((resolve, reject) => {
      if (this.held.has(method)) {
        this.waiting.push({ go: resolve, onProgress });
      } else if (this.delay >= 0) {
        setTimeout(resolve, this.delay);
      }
      signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    });
    switch (method) {
      case 'initialize':
        return { result: { capabilities: [], missing: [], state: structuredClone(this.state) } };
      case 'state':
        return { result: structuredClone(this.state), buffers: [] };
      case 'textDocument/didOpen':
      case 'textDocument/didChange': {
        const { version } = params;
        const span = { start: this.refused?.at ?? 0, end: this.refused?.at ?? 0 };
        const diagnostics = this.refused
          ? [{ span, severity: 'warning', code: 'unknown', message: this.refused.why }]
          : [];
        return { result: { version, live: false, diagnostics, milliseconds: 0 }, buffers: [] };
      }
      case 'textDocument/didClose':
        return { result: null, buffers: [] };
      case 'subscribe':
        this.subscription = params;
        return { result: null, buffers: [] };
      case 'unsubscribe':
        this.subscription = null;
        return { result: null, buffers: [] };
      default: {
        const trace = this.traces.find(({ summary }) => summary.id === params.trace);
        if (!trace) {
          throw new Error('This trace is gone: the cell has run again.');
        }
        if (method === 'trace/trialTexts') {
          return { result: { texts: [trace.words.join(' ')], reason: this.untried }, buffers: [] };
        }
        if (method === 'trace/trial') {
          return { result: { trace: this.try(trace, params.texts[0]) }, buffers: [] };
        }
        if (method === 'trace/item') {
          return { result: this.item(trace, params.item), buffers: [] };
        }
        if (method === 'trace/vectors' || method === 'trace/neuron') {
          const site = trace.summary.sites[params.site]!;
          const weights = matrix(trace, site, params.head, params.item);
          const kind = method === 'trace/neuron' ? 'neuron' : 'vectors';
          return answerOf(kind, params, weights, site.keys, trace.width ?? WIDTH, trace.rotary);
        }
        if (method === 'trace/topk' || method === 'trace/row') {
          const site = trace.summary.sites[params.site]!;
          return method === 'trace/topk'
            ? topkOf(params, matrix(trace, site, params.head, params.item), site)
            : rowOf(params, site, head => matrix(trace, site, head, params.item));
        }
        if (method === 'trace/scores') {
          return this.scores(trace, params.item);
        }
        if (method === 'trace/tile') {
          const site = trace.summary.sites[params.site]!;
          return tileOf(params, site, matrix(trace, site, params.head, params.item));
        }
        const kind = method.slice('trace/'.length) as 'thumbnails' | 'head';
        const { payload, buffer } = this.payload(trace, kind, params);
        return { result: payload, buffers: [buffer] };
      }
    }
  }

  notify(method: string, params: unknown): void {
    this.log.push({ method, params });
  }

  onPublish(listener: (params: PublishParams, buffers: ArrayBuffer[]) => void): () => void {
    this.publishers.add(listener);
    return () => this.publishers.delete(listener);
  }

  onSelect(listener: (params: SelectionParams) => void): () => void {
    this.setters.add(listener);
    return () => this.setters.delete(listener);
  }

  onGone(listener: (why: string) => void): () => void {
    this.mourners.add(listener);
    return () => this.mourners.delete(listener);
  }

  get listeners(): number {
    return this.publishers.size + this.setters.size + this.mourners.size;
  }

  die(why: string): void {
    this.mourners.forEach(listener => listener(why));
  }

  /** A watched cell has run: its new trace replaces those of its older runs. */
  run(shape: Shape, { lost = false, bare = false } = {}): void {
    const summary = this.summarise(shape);
    const held = { ...shape, summary };
    const removed = this.traces
      .filter(
        ({ summary: old }) =>
          old.cell === summary.cell && (old.trial === true || old.execution !== summary.execution)
      )
      .map(({ summary: old }) => old.id);
    this.traces = [...this.traces.filter(({ summary: old }) => !removed.includes(old.id)), held];
    const problems = this.state.problems.filter(problem => problem.cell !== summary.cell);
    const traces = this.traces.map(trace => trace.summary);
    this.state = { ...this.state, last: summary.cell, problems, traces };
    const payloads: { payload: Payload; buffer: ArrayBuffer }[] = [];
    if (this.subscription && !bare) {
      const { focus, size } = this.subscription;
      const item = this.shownItem(held);
      payloads.push(this.payload(held, 'thumbnails', { size, item, sampled: true }));
      if (focus && summary.sites[focus.site] && focus.head < summary.sites[focus.site]!.heads) {
        payloads.push(this.payload(held, 'head', { ...focus, item }, 1));
        payloads.push(...this.neuron(held, item));
      }
    }
    this.publish(
      {
        trace: summary,
        items: this.subscription && !bare ? [this.item(held, this.shownItem(held))] : [],
        removed,
        resolved: [summary.cell],
        payloads: payloads.map(({ payload }) => payload)
      },
      payloads.map(({ buffer }) => buffer),
      lost
    );
  }

  /** The model is called with another text; an empty one it refuses. */
  private try(held: Held, text: string): string {
    if (text === '') {
      throw new Error('The text has no tokens.');
    }
    const { cell, execution, call } = held.summary;
    const id = `tried.${++this.tries}`;
    this.run({ words: text.split(' '), id, cell, execution, call, trial: true });
    return id;
  }

  /** The newest traces of a cell are of this text. */
  source(cell: string, text: string, outdated = false): void {
    const execution = this.state.traces.findLast(trace => trace.cell === cell)?.execution ?? 0;
    const source = { cell, execution, text, origins: [], diagnostics: [], outdated };
    this.state = { ...this.state, last: source.cell, sources: [source] };
    this.publish({ source, removed: [], payloads: [] }, []);
  }

  fail(cell: string, title: string, cause: string, remedy: string): void {
    const problem = { cell, execution: this.state.revision + 1, title, cause, remedy };
    this.state = {
      ...this.state,
      last: cell,
      problems: [...this.state.problems.filter(p => p.cell !== cell), problem]
    };
    this.publish({ problem, removed: [], payloads: [] }, []);
  }

  busy(running: string | null): void {
    this.state = { ...this.state, running };
    this.publish({ removed: [], payloads: [] }, []);
  }

  /** Python sets parts of what the page's panel has selected. */
  select(parts: Partial<SelectionState>): void {
    const selection = { ...state.selection.toJSON(), ...parts };
    this.setters.forEach(listener => listener({ panel: state.id, selection }));
  }

  private publish(
    params: Omit<PublishParams, 'revision' | 'running' | 'last'>,
    buffers: ArrayBuffer[],
    lost = false
  ): void {
    this.state = { ...this.state, revision: this.state.revision + 1 };
    const { revision, running, last } = this.state;
    if (!lost) {
      const push = { revision, running, last, ...params };
      this.publishers.forEach(listener => listener(push, buffers));
    }
  }

  /** What a push brings of a query that is shown taken apart. */
  private neuron(held: Held, item: number): { payload: Payload; buffer: ArrayBuffer }[] {
    const { focus, query, neuron } = this.subscription!;
    const site = held.summary.sites[focus!.site]!;
    if (!neuron || query === null || query >= site.queries) {
      return [];
    }
    const weights = matrix(held, site, focus!.head, item);
    return (['vectors', 'neuron'] as const).map((kind, i) => {
      const params = { trace: held.summary.id, item, ...focus!, query };
      const width = held.width ?? WIDTH;
      const answer = answerOf(kind, params, weights, site.keys, width, held.rotary);
      return { payload: { ...answer.result, buffer: 2 + i }, buffer: answer.buffers[0]! };
    });
  }

  private shownItem({ summary }: Held): number {
    const item = this.subscription?.item ?? 0;
    return item < summary.items ? item : 0;
  }

  private scores(trace: Held, item: number) {
    const all = trace.summary.sites.flatMap(site =>
      Array.from({ length: site.heads }, (_, head) =>
        scoresOf(matrix(trace, site, head, item), site.queries, site.keys)
      )
    );
    const array = { dtype: 'f4', shape: [all.length, LABELS.length], buffer: 0 };
    const result = { kind: 'scores', trace: trace.summary.id, item, ...array, labels: LABELS };
    return { result, buffers: [new Float32Array(all.flat()).buffer] };
  }

  private item(trace: Held, item: number): BatchItem {
    return { trace: trace.summary.id, item, sequences: sequencesOf(trace, item) };
  }

  private payload(trace: Held, kind: 'thumbnails' | 'head', where: any, buffer = 0) {
    const { item, site, head } = where;
    const base = { trace: trace.summary.id, item, buffer };
    if (kind === 'thumbnails') {
      const sampled = where.sampled && trace.samples === true;
      const { shape, data } = thumbnails(trace, where.size, item, sampled);
      const payload: Payload = { kind, dtype: 'u1', ...base, sampled, shape };
      return { payload, buffer: data.buffer as ArrayBuffer };
    }
    const of = trace.summary.sites[site]!;
    const payload: Payload = {
      kind,
      dtype: 'f4',
      ...base,
      site,
      head,
      shape: [of.queries, of.keys]
    };
    return {
      payload,
      buffer: matrix(trace, of, head, item).buffer as ArrayBuffer
    };
  }

  private summarise(shape: Shape): TraceSummary {
    const { words, keyWords = words, layers = 6, heads = 12, groups = heads } = shape;
    const sequences = sequencesOf(shape, 0);
    const execution = shape.execution ?? this.state.revision + 1;
    const sites = (shape.sites ?? Array.from({ length: layers }, () => ({}))).map(
      ({ rows = 0, columns = keyWords === words ? rows : 1, ...site }, index): SiteSummary => ({
        index,
        name: `encoder.layer.${index}.attention.self`,
        kind: 'encoder',
        stack: 'encoder.layer.#.attention.self',
        layer: index,
        depth: 0,
        heads,
        groups,
        queries: sequences[rows]!.tokens.length,
        keys: sequences[columns]!.tokens.length,
        rows,
        columns,
        method: 'interface',
        terms: 'qk',
        ...site
      })
    );
    return {
      id: shape.id ?? `t${execution}.${shape.call ?? 0}`,
      cell: shape.cell ?? 'cell-2',
      execution,
      call: shape.call ?? 0,
      calls: shape.calls ?? 1,
      model: shape.model ?? 'BertModel',
      items: 1 + (shape.batch?.length ?? 0),
      item: 0,
      sequences,
      ...(shape.generated !== undefined && { generated: shape.generated }),
      sites,
      notes: shape.notes ?? [],
      ...(shape.trial && { trial: true }),
      milliseconds: 24.3
    };
  }
}

/** A token of the main sequence, with what the model predicted for it. */
function predictedToken(token: Token, index: number, shape: Shape): Token {
  if (isStale(shape, index)) {
    // As the kernel does: it has no place in a text that the user edits.
    return { ...token, start: -1, end: -1, stale: true };
  }
  return shape.predicted && index > 0
    ? { ...token, probability: 0.8 / (index + 1), rank: index }
    : token;
}

/** The sequences of one item: its words, and what all items share. */
function sequencesOf(shape: Shape, item: number) {
  const { words, keyWords, batch = [], further = [] } = shape;
  const itemWords = item === 0 ? words : batch[item - 1]!;
  const all: SequenceSummary[] = [
    {
      name: keyWords ? 'target' : 'tokens',
      tokens: tokens(itemWords).map((token, index) => predictedToken(token, index, shape)),
      text: itemWords.join(' ')
    }
  ];
  if (keyWords) {
    all.push({ name: 'source', tokens: tokens(keyWords), text: keyWords.join(' ') });
  }
  return [...all, ...further.map(({ name, words }) => ({ name, tokens: tokens(words) }))];
}

const state = new PanelState('test', new KernelSession(CellDocument));
const kernel = new FakeKernel();
const until = new AbortController();
const did: string[] = [];
const actions: PanelActions = {
  tagCell: () => did.push('tag'),
  copy: text => did.push(`copy ${text}`)
};
function mount(host: HTMLElement, panel: PanelState, { signal }: AbortController): void {
  mountPanel(host, panel, {
    translate: text => text,
    hasCell: cell => !cell.startsWith('gone'),
    actions,
    signal
  });
}

/** Opens another panel of the same kernel; it says how to close it. */
function open(host: HTMLElement) {
  const other = new PanelState(crypto.randomUUID(), state.session);
  const closing = new AbortController();
  mount(host, other, closing);
  const close = (): void => {
    closing.abort();
    other.dispose();
    host.remove();
  };
  return { state: other, close };
}

mount(document.getElementById('panel')!, state, until);
Object.assign(globalThis, {
  lab: {
    state,
    kernel,
    until,
    open,
    did,
    theme: (name: 'light' | 'dark' | 'dark-high-contrast') => {
      const link = document.querySelector('link') as HTMLLinkElement;
      link.onload = () => {
        document.body.dataset.jpThemeLight = String(name === 'light');
        document.body.dataset.jpThemeName = name;
      };
      link.href = `${name}.css`;
    },
    /** Color words of weights from 0 to 1 in 255ths, as the panel has them now. */
    ramp: () => [...readPalette(document.getElementById('panel')!).ramp],
    weights: (site: number, head: number, item: number) => {
      const trace = kernel.traces.at(-1)!;
      return matrix(trace, trace.summary.sites[site]!, head, item);
    },
    keys: (site: number, head: number) => {
      const { summary, width = WIDTH } = kernel.traces.at(-1)!;
      return keysOf({ item: 0, site, head }, summary.sites[site]!.keys, width);
    },
    query: (site: number, head: number, query: number) =>
      queryOf({ item: 0, site, head }, query, kernel.traces.at(-1)!.width ?? WIDTH),
    base64
  }
});
