import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { Picture } from '../protocol/messages';

/** Numbers as they came: `data` has the product of `shape` entries, in C order. */
export interface Numbers {
  shape: readonly number[];
  data: Float32Array | Uint8Array;
}

/** A picture on its way, here, or refused. */
export type Load =
  { state: 'pending' } | { state: 'ready'; picture: Numbers } | { state: 'failed'; why: string };

/** What a view may ask for. */
export type Wish =
  | { kind: 'thumbnails'; trace: string }
  | { kind: 'head'; trace: string; site: number; head: number }
  | { kind: 'row'; trace: string; site: number; query: number };

/** Side of a thumbnail, in pixels: no panel shows them much larger. */
export const THUMBNAIL = 48;

const PENDING: Load = { state: 'pending' };

interface Entry {
  wish: Wish;
  load: Signal<Load>;
  bytes: number;
  watched: boolean;
  asking: AbortController | null;
}

/**
 * The pictures in the browser: a cache bounded in bytes, the least recently used given up
 * first.
 *
 * To watch a signal is to want its picture: it is requested when a first view watches and no
 * push has brought it, and the request is aborted when the last view looks away. What is
 * watched is never given up, even where it alone exceeds the bound.
 */
export class Pictures {
  private readonly entries = new Map<string, Entry>();
  private backend: Backend | null = null;
  private total = 0;

  constructor(readonly limit = 96 * 2 ** 20) {}

  /** Bytes held. */
  get bytes(): number {
    return this.total;
  }

  /** u8, (heads of all sites in order, queries, keys), weights times 255, pooled by maximum. */
  thumbnails(trace: string): ReadonlySignal<Load> {
    return this.want({ kind: 'thumbnails', trace });
  }

  /** f32, (queries, keys): the exact weights of one head. */
  head(trace: string, site: number, head: number): ReadonlySignal<Load> {
    return this.want({ kind: 'head', trace, site, head });
  }

  /** f32, (heads, keys): the exact weights of one query in one site. */
  row(trace: string, site: number, query: number): ReadonlySignal<Load> {
    return this.want({ kind: 'row', trace, site, query });
  }

  /** Takes a picture that a push or a reply has brought. */
  put(picture: Picture, buffers: readonly ArrayBuffer[]): void {
    const entry = this.entry(wishOf(picture));
    entry.asking?.abort();
    entry.asking = null;
    this.keep(entry, decoded(picture, buffers[picture.buffer]));
  }

  /** Asks this backend from now on. Another kernel may use the same ids: all is forgotten. */
  attach(backend: Backend): void {
    batch(() => {
      this.detach();
      this.backend = backend;
      for (const entry of [...this.entries.values()]) {
        this.account(entry, 0);
        entry.load.value = PENDING;
        this.look(entry);
      }
    });
  }

  /** Asks nobody; what is here stays to be seen. */
  detach(): void {
    this.backend = null;
    for (const entry of this.entries.values()) {
      entry.asking?.abort();
      entry.asking = null;
    }
  }

  /** Gives up the pictures of traces that the kernel holds no more, save those on screen. */
  forget(traces: readonly string[]): void {
    for (const [id, entry] of [...this.entries]) {
      if (!entry.watched && traces.includes(entry.wish.trace)) {
        this.drop(id, entry);
      }
    }
  }

  private want(wish: Wish): ReadonlySignal<Load> {
    const entry = this.entry(wish);
    this.touch(entry);
    return entry.load;
  }

  private entry(wish: Wish): Entry {
    const found = this.entries.get(idOf(wish));
    if (found) {
      return found;
    }
    const entry: Entry = {
      wish,
      load: signal<Load>(PENDING, {
        watched: () => {
          entry.watched = true;
          this.look(entry);
        },
        unwatched: () => {
          entry.watched = false;
          this.look(entry);
        }
      }),
      bytes: 0,
      watched: false,
      asking: null
    };
    this.entries.set(idOf(wish), entry);
    return entry;
  }

  /** Brings an entry's request in line with whether anyone watches it. */
  private look(entry: Entry): void {
    const id = idOf(entry.wish);
    if (entry.watched) {
      // A view may have held on to a signal that was given up meanwhile.
      if (!this.entries.has(id)) {
        this.entries.set(id, entry);
      }
      if (this.backend && !entry.asking && entry.load.peek().state === 'pending') {
        void this.ask(this.backend, entry);
      }
      return;
    }
    entry.asking?.abort();
    entry.asking = null;
    if (entry.load.peek().state !== 'ready' || this.entries.get(id) !== entry) {
      // Refused or never come: the next to want it asks again.
      this.drop(id, entry);
    }
    this.shrink();
  }

  private async ask(backend: Backend, entry: Entry): Promise<void> {
    const asking = new AbortController();
    entry.asking = asking;
    let load: Load;
    try {
      const { result, buffers } = await request(backend, entry.wish, asking.signal);
      load = decoded(result.picture, buffers[result.picture.buffer]);
    } catch (error) {
      load = { state: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
    if (entry.asking !== asking) {
      return; // looked away, or a push was faster
    }
    entry.asking = null;
    this.keep(entry, load);
  }

  private keep(entry: Entry, load: Load): void {
    this.account(entry, load.state === 'ready' ? load.picture.data.byteLength : 0);
    this.touch(entry);
    entry.load.value = load;
    this.shrink();
  }

  private touch(entry: Entry): void {
    const id = idOf(entry.wish);
    if (this.entries.get(id) === entry) {
      this.entries.delete(id);
      this.entries.set(id, entry);
    }
  }

  private shrink(): void {
    for (const [id, entry] of this.entries) {
      if (this.total <= this.limit) {
        return;
      }
      if (!entry.watched) {
        this.drop(id, entry);
      }
    }
  }

  private drop(id: string, entry: Entry): void {
    if (this.entries.get(id) === entry) {
      this.entries.delete(id);
    }
    this.account(entry, 0);
    entry.load.value = PENDING;
  }

  private account(entry: Entry, bytes: number): void {
    this.total += bytes - entry.bytes;
    entry.bytes = bytes;
  }
}

function idOf(wish: Wish): string {
  switch (wish.kind) {
    case 'thumbnails':
      return `${wish.trace} thumbnails`;
    case 'head':
      return `${wish.trace} head ${wish.site} ${wish.head}`;
    case 'row':
      return `${wish.trace} row ${wish.site} ${wish.query}`;
  }
}

function wishOf({ kind, trace, site, head, query }: Picture): Wish {
  switch (kind) {
    case 'thumbnails':
      return { kind, trace };
    case 'head':
      return { kind, trace, site, head };
    case 'row':
      return { kind, trace, site, query };
  }
}

function request(backend: Backend, wish: Wish, signal: AbortSignal) {
  const { trace } = wish;
  switch (wish.kind) {
    case 'thumbnails':
      return backend.request('trace/thumbnails', { trace, size: THUMBNAIL }, signal);
    case 'head':
      return backend.request('trace/head', { trace, site: wish.site, head: wish.head }, signal);
    case 'row':
      return backend.request('trace/row', { trace, site: wish.site, query: wish.query }, signal);
  }
}

function decoded(picture: Picture, buffer: ArrayBuffer | undefined): Load {
  const width = picture.kind === 'thumbnails' ? 1 : 4;
  const bytes = picture.shape.reduce((product, side) => product * side, width);
  if (buffer?.byteLength !== bytes) {
    const came = buffer?.byteLength ?? 0;
    return { state: 'failed', why: `A picture of ${bytes} bytes was promised, ${came} came.` };
  }
  const data = width === 1 ? new Uint8Array(buffer) : new Float32Array(buffer);
  return { state: 'ready', picture: { shape: picture.shape, data } };
}
