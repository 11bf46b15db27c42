import type { SequenceSummary, TraceSummary } from '../../protocol/messages';
import { useEnv } from '../parts/env';
import { Icon } from '../parts/icon';
import { BatchItemPicker } from './batch-item-picker';
import { CallPicker } from './call-picker';
import { useCellName } from './cell-name';
import { PinButton } from './pin-button';
import { Status } from './status';
import { TrialButton } from './trial';

/** The cell, the model call, the batch item, the model, the length and the status. */
export function Header() {
  const { state, t, actions } = useEnv();
  const nameOf = useCellName();
  const shown = state.shown.value;
  const trace = shown?.trace;
  // A pinned cell without a trace can be unpinned.
  const cell = trace?.cell ?? state.follower.pinned.value;
  return (
    <header class="attnlab-header">
      {cell !== null && <PinButton cell={cell} />}
      {trace && (
        <>
          <span
            class="attnlab-chip attnlab-cell"
            data-testid="attnlab-cell"
            title={t('Cell shown in this panel')}
          >
            {nameOf(trace)}
          </span>
          <CallPicker />
          <BatchItemPicker shown={shown} />
          <span class="attnlab-chip attnlab-model-name" title={`${trace.model} ${shape(trace)}`}>
            <span>{trace.model}</span> <span class="attnlab-soft">{shape(trace)}</span>
          </span>
          <Length of={shown.sequences[0]} />
        </>
      )}
      <Status />
      {trace && <TrialButton />}
      {actions.open && <OpenButton open={actions.open} />}
    </header>
  );
}

/** The length of the main sequence. */
function Length({ of }: { of: SequenceSummary | undefined }) {
  const { t } = useEnv();
  const count = of?.tokens.length ?? 0;
  const text =
    of?.name === 'patches'
      ? t('%1 patches', count)
      : of?.name === 'positions'
        ? t('%1 positions', count)
        : count === 1
          ? t('1 token')
          : t('%1 tokens', count);
  return <span class="attnlab-chip">{text}</span>;
}

/** Opens a copy of this panel. */
function OpenButton({ open }: { open: () => void }) {
  const { t } = useEnv();
  return (
    <button
      type="button"
      class="attnlab-icon-button"
      data-testid="attnlab-open"
      title={t('Open a copy of this panel in the main area')}
      aria-label={t('Open in the main area')}
      onClick={open}
    >
      <Icon path="M6.5 2.5h-4v11h11v-4M9.5 2.5h4v4M13.5 2.5l-6 6" />
    </button>
  );
}

/** Layers × heads if all layers have the same number of heads, or else the total of heads. */
function shape({ sites }: TraceSummary): string {
  const heads = new Set(sites.map(site => site.heads));
  const total = sites.reduce((sum, site) => sum + site.heads, 0);
  return heads.size === 1 ? `${sites.length}×${[...heads][0]}` : String(total);
}
