import type { Focus, SiteSummary } from '../../protocol/messages';
import { groupsOf, type LayerGroup } from '../../state/heads/layer-groups';
import { useEnv } from '../parts/env';

/** Selects the stack, if there are several, the layer and the head. */
export function SitePicker({ site }: { site: SiteSummary }) {
  const { state, t } = useEnv();
  const { selection } = state;
  const trace = state.trace.value;
  const { head } = selection.focus.value;
  const kinds: Record<SiteSummary['kind'], string> = {
    encoder: t('Encoder'),
    decoder: t('Decoder'),
    cross: t('Cross-attention')
  };
  const groups = trace ? groupsOf(trace) : [];
  const current = groups.find(({ rows }) => rows.some(row => row.site?.index === site.index));
  const select = ({ index, heads }: SiteSummary, to = head): void => {
    const focus: Focus = { site: index, head: Math.max(0, Math.min(to, heads - 1)) };
    selection.setFocus(focus);
  };
  const sites = sitesOf(current);
  return (
    <span class="attnlab-head-pickers">
      {groups.length > 1 && (
        <select
          class="attnlab-select"
          data-testid="attnlab-stack"
          aria-label={t('Stack')}
          value={current ? groups.indexOf(current) : 0}
          onChange={({ currentTarget }) => {
            const next = nearest(sitesOf(groups[Number(currentTarget.value)]), site.layer);
            if (next) {
              select(next);
            }
          }}
        >
          {groups.map(({ kind, part, run }, i) => (
            <option key={i} value={i}>
              {kinds[kind] + (part ? ` · ${part}` : '') + run}
            </option>
          ))}
        </select>
      )}
      <label>
        {t('layer')}
        <select
          class="attnlab-select"
          data-testid="attnlab-layer-picker"
          aria-label={t('Layer')}
          value={site.index}
          onChange={({ currentTarget }) => {
            const next = sites.find(({ index }) => index === Number(currentTarget.value));
            if (next) {
              select(next);
            }
          }}
        >
          {current?.rows.map(
            ({ site, nth }) =>
              site && (
                <option key={site.index} value={site.index}>
                  {nth === 0 ? site.layer : t('%1, call %2', site.layer, nth + 1)}
                </option>
              )
          )}
        </select>
      </label>
      <label>
        {t('head')}
        <select
          class="attnlab-select"
          data-testid="attnlab-head-picker"
          aria-label={t('Head')}
          value={head}
          onChange={({ currentTarget }) => select(site, Number(currentTarget.value))}
        >
          {Array.from({ length: site.heads }, (_, i) => (
            <option key={i} value={i}>
              {i}
            </option>
          ))}
        </select>
      </label>
    </span>
  );
}

function sitesOf(group: LayerGroup | undefined): SiteSummary[] {
  return group?.rows.flatMap(({ site }) => (site ? [site] : [])) ?? [];
}

/** The site in the layer nearest to this one. */
function nearest(sites: readonly SiteSummary[], layer: number): SiteSummary | undefined {
  const distance = (site: SiteSummary): number => Math.abs(site.layer - layer);
  return [...sites].sort((a, b) => distance(a) - distance(b))[0];
}
