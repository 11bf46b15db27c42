import type { Backend } from '../protocol/backend';
import type { Picture, ProgressParams } from '../protocol/messages';

/** What a view may ask for: a picture of one item of a trace's batch. */
export type Wish =
  /** u8, (heads of all sites in order, queries, keys), weights times 255, pooled by maximum. */
  | { kind: 'thumbnails'; trace: string; item: number }
  /** f32, (queries, keys): the exact weights of one head. */
  | { kind: 'head'; trace: string; item: number; site: number; head: number }
  /** f32, (heads, keys): the exact weights of one query in one site. */
  | { kind: 'row'; trace: string; item: number; site: number; query: number }
  /** A part of a head: f32 at level 0, else u8; see `Picture`. */
  | ({ kind: 'tile'; level: number; y: number; x: number } & Head)
  /** f32, (queries, 2k + 1): the heaviest weights of each query, their keys, and the rest. */
  | ({ kind: 'edges' } & Head)
  /** f32, (keys, width): the head's key vectors. */
  | ({ kind: 'vectors' } & Head)
  /** f32: one query taken apart; see `Picture`. */
  | ({ kind: 'neuron'; query: number } & Head)
  /** f32, (heads of all sites in order, scores). */
  | { kind: 'scores'; trace: string; item: number };

interface Head {
  trace: string;
  item: number;
  site: number;
  head: number;
}

/** Tokens along a tile's side at level 0. */
export const TILE = 256;

/** Side of a thumbnail, in pixels: no panel shows them much larger. */
export const THUMBNAIL = 48;

/** How far the kernel is; `total` is 0 where it does not know. */
export type Progress = Pick<ProgressParams, 'done' | 'total'>;

/** A name that no other wish has. */
export function idOf(wish: Wish): string {
  const whose = `${wish.trace} ${wish.item} ${wish.kind}`;
  switch (wish.kind) {
    case 'thumbnails':
    case 'scores':
      return whose;
    case 'tile':
      return `${whose} ${wish.site} ${wish.head} ${wish.level} ${wish.y} ${wish.x}`;
    case 'neuron':
      return `${whose} ${wish.site} ${wish.head} ${wish.query}`;
    case 'edges':
    case 'vectors':
    case 'head':
      return `${whose} ${wish.site} ${wish.head}`;
    case 'row':
      return `${whose} ${wish.site} ${wish.query}`;
  }
}

/** The wish that a picture fulfils. */
export function wishOf({ kind, trace, item, site, head, query, tile }: Picture): Wish {
  switch (kind) {
    case 'thumbnails':
    case 'scores':
      return { kind, trace, item };
    case 'tile': {
      const [level = 0, y = 0, x = 0] = tile ?? [];
      return { kind, trace, item, site, head, level, y, x };
    }
    case 'neuron':
      return { kind, trace, item, site, head, query };
    case 'edges':
    case 'vectors':
    case 'head':
      return { kind, trace, item, site, head };
    case 'row':
      return { kind, trace, item, site, query };
  }
}

/** Asks the kernel; `sampled` says whether sampled thumbnails will do. */
export function request(
  backend: Backend,
  wish: Wish,
  sampled: boolean,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void
) {
  const { trace, item } = wish;
  switch (wish.kind) {
    case 'thumbnails': {
      const params = { trace, item, size: THUMBNAIL, sampled };
      return backend.request('trace/thumbnails', params, signal, onProgress);
    }
    case 'head': {
      const params = { trace, item, site: wish.site, head: wish.head };
      return backend.request('trace/head', params, signal, onProgress);
    }
    case 'row': {
      const params = { trace, item, site: wish.site, query: wish.query };
      return backend.request('trace/row', params, signal, onProgress);
    }
    case 'tile': {
      const { site, head, level, y, x } = wish;
      const params = { trace, item, site, head, level, y, x };
      return backend.request('trace/tile', params, signal, onProgress);
    }
    case 'edges': {
      const params = { trace, item, site: wish.site, head: wish.head };
      return backend.request('trace/edges', params, signal, onProgress);
    }
    case 'vectors': {
      const params = { trace, item, site: wish.site, head: wish.head };
      return backend.request('trace/vectors', params, signal, onProgress);
    }
    case 'neuron': {
      const params = { trace, item, site: wish.site, head: wish.head, query: wish.query };
      return backend.request('trace/neuron', params, signal, onProgress);
    }
    case 'scores':
      return backend.request('trace/scores', { trace, item }, signal, onProgress);
  }
}
