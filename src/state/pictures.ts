import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type { Picture } from '../protocol/messages';
import { idOf, request, wishOf, type Progress, type Wish } from './wish';

export { THUMBNAIL, type Progress, type Wish } from './wish';

/** Numbers as they came: `data` has the product of `shape` entries, in C order. */
export interface Numbers {
  shape: readonly number[];
  data: Float32Array | Uint8Array;
  /** What its parts are, where the kind has such. */
  labels?: readonly string[];
  /** Dimensions that were rotated together, where that was seen: first, second, wavelength. */
  pairs?: readonly (readonly number[])[];
}

/** A picture that is here. */
export interface Ready {
  state: 'ready';
  picture: Numbers;
  /** Whether it is of some of the queries only; the whole one is on its way while watched. */
  sampled: boolean;
  /** Why the whole one has not come. */
  why?: string;
}

/** A picture on its way, here, or refused. */
export type Load = { state: 'pending' } | Ready | { state: 'failed'; why: string };

const PENDING: Load = { state: 'pending' };

interface Entry {
  wish: Wish;
  load: Signal<Load>;
  progress: Signal<Progress | null>;
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
 * watched is never given up, even where it alone exceeds the bound. A sampled picture is
 * shown until the whole one has come.
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

  /** The picture that a wish names; see `Picture` for its numbers. */
  want(wish: Wish): ReadonlySignal<Load> {
    const entry = this.entry(wish);
    this.touch(entry);
    return entry.load;
  }

  /** Whether a picture is here; asks for nothing. */
  has(wish: Wish): boolean {
    return this.entries.get(idOf(wish))?.load.peek().state === 'ready';
  }

  /** How far the kernel is with a picture that takes long; null where it takes no time. */
  progress(wish: Wish): ReadonlySignal<Progress | null> {
    return this.entry(wish).progress;
  }

  /** Takes a picture that a push or a reply has brought. */
  put(picture: Picture, buffers: readonly ArrayBuffer[]): void {
    const entry = this.entry(wishOf(picture));
    if (picture.sampled && entry.load.peek().state === 'ready') {
      return; // It is here as good, or better.
    }
    this.stop(entry);
    this.keep(entry, decoded(picture, buffers[picture.buffer]));
    if (entry.watched) {
      this.look(entry);
    }
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
      this.stop(entry);
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
      progress: signal(null),
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
      if (this.backend && !entry.asking && lacks(entry.load.peek())) {
        void this.ask(this.backend, entry);
      }
      return;
    }
    this.stop(entry);
    if (entry.load.peek().state !== 'ready' || this.entries.get(id) !== entry) {
      // Refused or never come: the next to want it asks again.
      this.drop(id, entry);
    }
    this.shrink();
  }

  private async ask(backend: Backend, entry: Entry): Promise<void> {
    const asking = new AbortController();
    entry.asking = asking;
    const rough = entry.load.peek();
    let load: Load;
    try {
      const sampled = rough.state !== 'ready';
      const { result, buffers } = await request(
        backend,
        entry.wish,
        sampled,
        asking.signal,
        progress => {
          if (entry.asking === asking) {
            entry.progress.value = progress;
          }
        }
      );
      load = decoded(result.picture, buffers[result.picture.buffer]);
    } catch (error) {
      load = { state: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
    if (entry.asking !== asking) {
      return; // looked away, or a push was faster
    }
    this.stop(entry);
    if (load.state === 'failed' && rough.state === 'ready') {
      load = { ...rough, why: load.why };
    }
    this.keep(entry, load);
    this.look(entry);
  }

  private stop(entry: Entry): void {
    entry.asking?.abort();
    entry.asking = null;
    entry.progress.value = null;
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

/** Whether there is something to ask for. */
function lacks(load: Load): boolean {
  return load.state === 'pending' || (load.state === 'ready' && load.sampled && !load.why);
}

function decoded(picture: Picture, buffer: ArrayBuffer | undefined): Load {
  const small = picture.kind === 'thumbnails' || (picture.tile?.[0] ?? 0) > 0;
  const width = small ? 1 : 4;
  const bytes = picture.shape.reduce((product, side) => product * side, width);
  if (buffer?.byteLength !== bytes) {
    const came = buffer?.byteLength ?? 0;
    return { state: 'failed', why: `A picture of ${bytes} bytes was promised, ${came} came.` };
  }
  const data = width === 1 ? new Uint8Array(buffer) : new Float32Array(buffer);
  const { shape, sampled, labels, pairs } = picture;
  const parts = { ...(labels && { labels }), ...(pairs && { pairs }) };
  return { state: 'ready', picture: { shape, data, ...parts }, sampled };
}
