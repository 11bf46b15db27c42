import { useSignal } from '@preact/signals';
import type { SiteSummary } from '../protocol/messages';
import { trustOf, type Trust } from '../state/trust';
import { useEnv } from './env';

/** What is said of a site whose weights are not simply the model's own. */
export interface Doubt {
  trust: Exclude<Trust, 'exact'>;
  word: string;
  reason: string;
}

/** Returns what is to be said of a site; null where its weights are exact. */
export function useDoubt(): (site: SiteSummary) => Doubt | null {
  const { t } = useEnv();
  return site => {
    const trust = trustOf(site);
    const certificate = site.certificate ?? '';
    const second = t(
      'They are of a second forward pass, which was recorded in place of the first.'
    );
    switch (trust) {
      case 'exact':
        return null;
      case 'replayed':
        return { trust, word: t('replayed'), reason: `${second} ${t(CONFIRMED)}` };
      case 'returned':
        return {
          trust,
          word: t('as returned'),
          reason: certificate || t('As the model returned them; not checked.')
        };
      case 'open':
        return {
          trust,
          word: t('unverified'),
          reason: site.tier === 'replayed' ? `${certificate} ${second}` : certificate
        };
    }
  };
}

const CHECKED = 'They give the output of the model’s own kernel.';

const CONFIRMED = 'It computed what your own call computed.';

/** Returns how a site was read, in a sentence for a tooltip. */
export function useReading(): (site: SiteSummary) => string {
  const { t } = useEnv();
  return site => {
    const how: Record<SiteSummary['tier'], string> = {
      interface: t('Recomputed from queries and keys at the model’s attention interface.'),
      tap: t('Read by a tap on softmax and products inside the model.'),
      replayed: t('Read in a second forward pass.'),
      output_attentions: t('Read from output_attentions.')
    };
    return trustOf(site) === 'exact' ? `${how[site.tier]} ${t(CHECKED)}` : how[site.tier];
  };
}

/** A word in the head's title; pressed, it says why under the title. */
export function useBadge(site: SiteSummary | null) {
  const doubt = useDoubt();
  const open = useSignal(false);
  const { state } = useEnv();
  const said = site && doubt(site);
  if (!said) {
    return { badge: null, reason: null };
  }
  const id = `${state.id}-reason`;
  return {
    badge: (
      <button
        type="button"
        class="attnlab-badge"
        data-testid="attnlab-badge"
        data-trust={said.trust}
        title={said.reason}
        aria-label={`${said.word}: ${said.reason}`}
        aria-expanded={open.value}
        aria-controls={id}
        onClick={() => (open.value = !open.value)}
      >
        {said.word}
      </button>
    ),
    reason: open.value ? (
      <p class="attnlab-reason" id={id} data-testid="attnlab-reason">
        {said.reason}
      </p>
    ) : null
  };
}
