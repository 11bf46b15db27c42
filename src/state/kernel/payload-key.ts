import type { Backend } from '../../protocol/backend';
import {
  PAYLOAD_KEYS,
  type Payload,
  type PayloadKey,
  type ProgressParams
} from '../../protocol/messages';

/** Tokens along the side of a tile at level 0. */
export const TILE = 256;

/** Side of a thumbnail in pixels: no panel shows them much larger. */
export const THUMBNAIL = 48;

/** Progress of a request; `total` is 0 if unknown. */
export type Progress = Pick<ProgressParams, 'done' | 'total'>;

/** A string that no other key has. */
export function idOf(key: PayloadKey): string {
  return Object.values(keyOf(key)).join(' ');
}

/** The key of a payload. */
export function keyOf(from: Payload | PayloadKey): PayloadKey {
  const values: Partial<Record<string, unknown>> = { ...from };
  const names = ['kind', ...PAYLOAD_KEYS[from.kind]];
  return Object.fromEntries(names.map(name => [name, values[name]])) as unknown as PayloadKey;
}

/** Requests a payload; `sampled` allows sampled thumbnails. */
export function request(
  backend: Backend,
  key: PayloadKey,
  sampled: boolean,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void
) {
  const { kind, ...params } = keyOf(key);
  if (kind === 'thumbnails') {
    const more = { ...params, size: THUMBNAIL, sampled };
    return backend.request('trace/thumbnails', more, signal, onProgress);
  }
  return backend.request(`trace/${kind}`, params, signal, onProgress);
}
