import type { SiteSummary } from '../protocol/messages';

/**
 * How far the weights of a site are known to be the model's own.
 *
 * `exact`: they give the very output of the model's own kernel. `replayed`: so they do, in a
 * second forward pass. `returned`: they are what the model says they are. `open`: neither.
 */
export type Trust = 'exact' | 'replayed' | 'returned' | 'open';

/** How far a site's weights can be trusted. */
export function trustOf({ tier, certificate }: SiteSummary): Trust {
  if (tier === 'output_attentions') {
    return 'returned';
  }
  if (certificate !== undefined) {
    return 'open';
  }
  return tier === 'replayed' ? 'replayed' : 'exact';
}
