import { useSignal } from '@preact/signals';
import type { SiteSummary } from '../../protocol/messages';
import { verificationOf, type Verification } from '../../state/heads/verification';
import { useEnv } from './env';

/** The label of a site whose weights are not verified, or not from the first forward pass. */
export interface VerificationNote {
  verification: Exclude<Verification, 'exact'>;
  word: string;
  reason: string;
}

/** Returns a function that labels a site; null if its weights are exact. */
export function useVerificationNote(): (site: SiteSummary) => VerificationNote | null {
  const { t } = useEnv();
  return site => {
    const verification = verificationOf(site);
    const uncertified = site.uncertified ?? '';
    const second = t(
      'The weights come from a second forward pass that was recorded in place of the first.'
    );
    switch (verification) {
      case 'exact':
        return null;
      case 'replayed':
        return { verification, word: t('replayed'), reason: `${second} ${t(OUTPUTS_MATCH)}` };
      case 'returned':
        return {
          verification,
          word: t('as returned'),
          reason: uncertified || t('Returned by the model; not checked.')
        };
      case 'open':
        return {
          verification,
          word: t('unverified'),
          reason: site.method === 'replay' ? `${uncertified} ${second}` : uncertified
        };
    }
  };
}

const VERIFIED = 'Verified: they reproduce the output of the model’s attention kernel.';

const OUTPUTS_MATCH = 'Its outputs match those of your call.';

/** Returns a function that describes how the weights of a site were captured, for a tooltip. */
export function useCaptureMethod(): (site: SiteSummary) => string {
  const { t } = useEnv();
  return site => {
    const how: Record<SiteSummary['method'], string> = {
      interface: t(
        'Weights recomputed from the queries and keys at the model’s attention interface.'
      ),
      tap: t('Weights captured by a tap on the softmax and matrix products inside the model.'),
      replay: t('Weights captured in a second forward pass.'),
      returned: t('Weights returned by the model as output_attentions.')
    };
    return verificationOf(site) === 'exact'
      ? `${how[site.method]} ${t(VERIFIED)}`
      : how[site.method];
  };
}

/** A badge for the title of the head view, and the reason that it shows when pressed. */
export function useVerificationBadge(site: SiteSummary | null) {
  const noteOf = useVerificationNote();
  const open = useSignal(false);
  const { state } = useEnv();
  const note = site && noteOf(site);
  if (!note) {
    return { badge: null, reason: null };
  }
  const id = `${state.id}-reason`;
  return {
    badge: (
      <button
        type="button"
        class="attnlab-badge"
        data-testid="attnlab-badge"
        data-verification={note.verification}
        title={note.reason}
        aria-label={`${note.word}: ${note.reason}`}
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => (open.value = !open.value)}
      >
        {note.word}
      </button>
    ),
    reason: open.value ? (
      <p class="attnlab-reason" id={id} data-testid="attnlab-reason">
        {note.reason}
      </p>
    ) : null
  };
}
