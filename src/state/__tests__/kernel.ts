import type { Backend } from '../../protocol/backend';
import type {
  Notifications,
  Params,
  Payload,
  PayloadKey,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionState,
  SelectionParams,
  SiteSummary,
  State,
  Token,
  TraceSummary
} from '../../protocol/messages';
import type { Shown } from '../text/tokens';

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
    method: 'interface',
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

export function headPayload(trace: string, head: number, size: number): Payload {
  const place = { trace, item: 0, site: 0, head };
  return { kind: 'head', dtype: 'f4', ...place, shape: [size, size], buffer: 0 };
}

export function headKey(trace: string, head: number): PayloadKey {
  return { kind: 'head', trace, item: 0, site: 0, head };
}

export function thumbnailsPayload(trace: string, sampled: boolean): Payload {
  const shape = [1, 1, 1];
  return { kind: 'thumbnails', dtype: 'u1', trace, item: 0, sampled, shape, buffer: 0 };
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
  private last: string | null = null;
  readonly notified: { method: string; params: unknown }[] = [];
  private readonly publishers = new Set<(params: PublishParams, buffers: ArrayBuffer[]) => void>();
  private readonly setters = new Set<(params: SelectionParams) => void>();
  private readonly goneListeners = new Set<(why: string) => void>();

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
    this.notified.push({ method, params });
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
    this.goneListeners.add(listener);
    return () => this.goneListeners.delete(listener);
  }

  get listeners(): number {
    return this.publishers.size + this.setters.size + this.goneListeners.size;
  }

  asked(method: RequestMethod): Open[] {
    return this.open.filter(request => request.method === method);
  }

  push(revision: number, more: Partial<PublishParams> = {}, buffers: ArrayBuffer[] = []): void {
    this.last = more.trace?.cell ?? more.problem?.cell ?? more.source?.cell ?? this.last;
    const params = {
      revision,
      running: null,
      last: this.last,
      removed: [],
      payloads: [],
      ...more
    };
    this.publishers.forEach(listener => listener(params, buffers));
  }

  /** Python sets a panel's selection. */
  set(panel: string, selection: SelectionState): void {
    this.setters.forEach(listener => listener({ panel, selection }));
  }

  die(why: string): void {
    this.goneListeners.forEach(listener => listener(why));
  }
}

export function state(revision: number, more: Partial<State> = {}): State {
  const last = more.traces?.at(-1)?.cell ?? null;
  return { revision, running: null, last, traces: [], problems: [], sources: [], ...more };
}

/** Lets promises that are settled run their handlers. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) {
    await Promise.resolve();
  }
}
