import type { SiteSummary } from '../../protocol/messages';

/**
 * How the weights of a site were verified.
 *
 * `exact`: they reproduce the output of the attention call. `replayed`: the same, in a second
 * forward pass. `returned`: the model returned them. `open`: not verified.
 */
export type Verification = 'exact' | 'replayed' | 'returned' | 'open';

/** Returns how the weights of a site were verified. */
export function verificationOf({ method, uncertified }: SiteSummary): Verification {
  if (method === 'returned') {
    return 'returned';
  }
  if (uncertified !== undefined) {
    return 'open';
  }
  return method === 'replay' ? 'replayed' : 'exact';
}
