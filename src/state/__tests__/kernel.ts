import type { Backend } from '../../protocol/backend';
import type {
  Notifications,
  Params,
  Picture,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  Selected,
  SelectionParams,
  SiteSummary,
  State,
  Token,
  TraceSummary
} from '../../protocol/messages';
import type { Shown } from '../tokens';
import type { Wish } from '../wish';

export function token(id: number, text = `w${id}`): Token {
  const at = { start: -1, end: -1 };
  return { id, text, piece: text, special: false, ...at, part: false, padding: false };
}

export function site(index: number, length: number, more: Partial<SiteSummary> = {}): SiteSummary {
  return {
    index,
    name: `layer.${index}`,
    kind: 'encoder',
    stack: 'layer.#',
    layer: index,
    depth: 0,
    heads: 4,
    groups: 4,
    queries: length,
    keys: length,
    rows: 0,
    columns: 0,
    tier: 'interface',
    terms: 'qk',
    ...more
  };
}

export function trace(id: string, more: Partial<TraceSummary> & { ids?: number[] } = {}) {
  const { ids = [1, 2, 3], ...rest } = more;
  const tokens = ids.map(i => token(i));
  const summary: TraceSummary = {
    id,
    cell: 'a',
    execution: 1,
    call: 0,
    calls: 1,
    model: 'BertModel',
    items: 1,
    item: 0,
    sequences: [{ name: 'tokens', tokens }],
    sites: [site(0, ids.length), site(1, ids.length)],
    notes: [],
    milliseconds: 1,
    ...rest
  };
  return summary;
}

/** A trace with the item that it brings. */
export function shown(id: string, more: Parameters<typeof trace>[1] = {}): Shown {
  const made = trace(id, more);
  return { trace: made, item: made.item, sequences: made.sequences };
}

export function headPicture(trace: string, head: number, size: number): Picture {
  const place = { item: 0, site: 0, head, query: -1 };
  return { kind: 'head', trace, ...place, sampled: false, shape: [size, size], buffer: 0 };
}

export function headWish(trace: string, head: number): Wish {
  return { kind: 'head', trace, item: 0, site: 0, head };
}

export function smallPicture(trace: string, sampled: boolean): Picture {
  const place = { item: 0, site: -1, head: -1, query: -1 };
  return { kind: 'thumbnails', trace, ...place, sampled, shape: [1, 1, 1], buffer: 0 };
}

interface Open {
  method: RequestMethod;
  params: unknown;
  signal: AbortSignal | undefined;
  onProgress: ((progress: ProgressParams) => void) | undefined;
  answer: (result: unknown, buffers?: ArrayBuffer[]) => void;
  refuse: (why: string) => void;
  fail: (error: Error) => void;
}

/** A backend whose every answer and push a test gives by hand. */
export class HandBackend implements Backend {
  readonly client = 'test';
  readonly open: Open[] = [];
  readonly told: { method: string; params: unknown }[] = [];
  private readonly publishers = new Set<(params: PublishParams, buffers: ArrayBuffer[]) => void>();
  private readonly setters = new Set<(params: SelectionParams) => void>();
  private readonly mourners = new Set<(why: string) => void>();

  request<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>> {
    return new Promise((resolve, reject) => {
      const answer = (result: unknown, buffers: ArrayBuffer[] = []): void =>
        resolve({ result, buffers } as Reply<M>);
      const refuse = (why: string): void => reject(new Error(why));
      signal?.addEventListener('abort', () => refuse('aborted'));
      this.open.push({ method, params, signal, onProgress, answer, refuse, fail: reject });
    });
  }

  notify<M extends keyof Notifications>(method: M, params: Notifications[M]): void {
    this.told.push({ method, params });
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

  asked(method: RequestMethod): Open[] {
    return this.open.filter(request => request.method === method);
  }

  push(revision: number, more: Partial<PublishParams> = {}, buffers: ArrayBuffer[] = []): void {
    const params = { revision, running: null, forgotten: [], pictures: [], ...more };
    this.publishers.forEach(listener => listener(params, buffers));
  }

  /** Python sets a panel's selection. */
  set(panel: string, selected: Selected): void {
    this.setters.forEach(listener => listener({ panel, selected }));
  }

  die(why: string): void {
    this.mourners.forEach(listener => listener(why));
  }
}

export function state(revision: number, more: Partial<State> = {}): State {
  return { revision, running: null, traces: [], problems: [], sources: [], ...more };
}

/** Lets promises that are settled run their handlers. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) {
    await Promise.resolve();
  }
}
