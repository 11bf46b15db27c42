import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { Payload, PayloadKey } from '../../protocol/messages';
import { idOf, keyOf, request, type Progress } from './payload-key';

/** The array of a payload: `data` has the product of `shape` entries, in C order. */
export interface Numbers {
  shape: readonly number[];
  data: Float32Array | Uint8Array;
  /** Names of its parts, for kinds that have them. */
  labels?: readonly string[];
  /** Pairs of dimensions that are rotated together: first, second, period in tokens. */
  pairs?: readonly (readonly number[])[];
}

/** A payload that has arrived. */
export interface Ready {
  state: 'ready';
  payload: Numbers;
  /** Whether it is sampled; while watched, the exact payload is requested. */
  sampled: boolean;
  /** Why the exact payload could not be computed. */
  why?: string;
}

/** The state of a payload. */
export type Load = { state: 'pending' } | Ready | { state: 'failed'; why: string };

/** The state of a payload that is or will be requested. */
export const PENDING: Load = { state: 'pending' };

interface Entry {
  key: PayloadKey;
  load: Signal<Load>;
  progress: Signal<Progress | null>;
  bytes: number;
  watched: boolean;
  asking: AbortController | null;
}

/**
 * The payloads in the browser, limited in bytes; the least recently used are removed first.
 *
 * A payload is requested when the first view watches its signal, unless a push has delivered
 * it, and the request is aborted when the last view stops watching. Watched payloads are never
 * removed, even if they exceed the limit. A sampled payload is shown until the exact one has
 * arrived.
 */
export class PayloadCache {
  private readonly entries = new Map<string, Entry>();
  private backend: Backend | null = null;
  private total = 0;

  constructor(readonly limit = 96 * 2 ** 20) {}

  /** Total size in bytes. */
  get bytes(): number {
    return this.total;
  }

  /** The payload of a key. */
  want(key: PayloadKey): ReadonlySignal<Load> {
    const entry = this.entry(key);
    this.touch(entry);
    return entry.load;
  }

  /** Whether a payload has arrived; requests nothing. */
  has(key: PayloadKey): boolean {
    return this.entries.get(idOf(key))?.load.peek().state === 'ready';
  }

  /** Progress of a request that takes long; null before. */
  progress(key: PayloadKey): ReadonlySignal<Progress | null> {
    return this.entry(key).progress;
  }

  /** Stores a payload from a push or a result. */
  put(payload: Payload, buffers: readonly ArrayBuffer[]): void {
    const entry = this.entry(keyOf(payload));
    if (isSampled(payload) && entry.load.peek().state === 'ready') {
      return; // The stored payload is as exact, or more.
    }
    this.stop(entry);
    this.keep(entry, decoded(payload, buffers[payload.buffer]));
    if (entry.watched) {
      this.updateRequest(entry);
    }
  }

  /**
   * Sends requests to this backend from now on.
   *
   * @param fresh - Whether it belongs to another kernel, which may use the same ids: then all
   *   payloads are removed.
   */
  attach(backend: Backend, fresh = true): void {
    batch(() => {
      this.detach();
      this.backend = backend;
      for (const entry of [...this.entries.values()]) {
        if (fresh) {
          this.account(entry, 0);
          entry.load.value = PENDING;
        }
        this.updateRequest(entry);
      }
    });
  }

  /** Sends no more requests; payloads that have arrived stay. */
  detach(): void {
    this.backend = null;
    for (const entry of this.entries.values()) {
      this.stop(entry);
    }
  }

  /** Removes the payloads of traces that the kernel no longer has, except watched ones. */
  forget(traces: readonly string[]): void {
    for (const [id, entry] of [...this.entries]) {
      if (!entry.watched && traces.includes(entry.key.trace)) {
        this.drop(id, entry);
      }
    }
  }

  private entry(key: PayloadKey): Entry {
    const found = this.entries.get(idOf(key));
    if (found) {
      return found;
    }
    const entry: Entry = {
      key,
      load: signal<Load>(PENDING, {
        watched: () => {
          entry.watched = true;
          this.updateRequest(entry);
        },
        unwatched: () => {
          entry.watched = false;
          this.updateRequest(entry);
        }
      }),
      progress: signal(null),
      bytes: 0,
      watched: false,
      asking: null
    };
    this.entries.set(idOf(key), entry);
    return entry;
  }

  /** Starts or stops an entry's request, depending on whether it is watched. */
  private updateRequest(entry: Entry): void {
    const id = idOf(entry.key);
    if (entry.watched) {
      // A view may still use the signal of an entry that was removed.
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
      // Failed or never arrived: the next view requests it again.
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
        entry.key,
        sampled,
        asking.signal,
        progress => {
          if (entry.asking === asking) {
            entry.progress.value = progress;
          }
        }
      );
      load = decoded(result, buffers[result.buffer]);
    } catch (error) {
      load = { state: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
    if (entry.asking !== asking) {
      return; // no longer watched, or a push was faster
    }
    this.stop(entry);
    if (load.state === 'failed' && rough.state === 'ready') {
      load = { ...rough, why: load.why };
    }
    this.keep(entry, load);
    this.updateRequest(entry);
  }

  private stop(entry: Entry): void {
    entry.asking?.abort();
    entry.asking = null;
    entry.progress.value = null;
  }

  private keep(entry: Entry, load: Load): void {
    this.account(entry, load.state === 'ready' ? load.payload.data.byteLength : 0);
    this.touch(entry);
    entry.load.value = load;
    this.shrink();
  }

  private touch(entry: Entry): void {
    const id = idOf(entry.key);
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

/** Whether the payload has to be requested. */
function lacks(load: Load): boolean {
  return load.state === 'pending' || (load.state === 'ready' && load.sampled && !load.why);
}

function isSampled(payload: Payload): boolean {
  return payload.kind === 'thumbnails' && payload.sampled;
}

function decoded(payload: Payload, buffer: ArrayBuffer | undefined): Load {
  const width = payload.dtype === 'f4' ? 4 : 1;
  const bytes = payload.shape.reduce((product, side) => product * side, width);
  if (buffer?.byteLength !== bytes) {
    const received = buffer?.byteLength ?? 0;
    const why = `Expected a payload of ${bytes} bytes, received ${received}.`;
    return { state: 'failed', why };
  }
  const data = payload.dtype === 'f4' ? new Float32Array(buffer) : new Uint8Array(buffer);
  return {
    state: 'ready',
    payload: {
      shape: payload.shape,
      data,
      ...('labels' in payload && { labels: payload.labels }),
      ...('pairs' in payload && { pairs: payload.pairs })
    },
    sampled: isSampled(payload)
  };
}
