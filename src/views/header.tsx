import type { SequenceSummary, TraceSummary } from '../protocol/messages';
import type { StatusKind } from '../state/status';
import { beginning, useCellName } from './cell-name';
import { useEnv } from './env';
import { ItemPicker } from './item-picker';
import { TryButton } from './try';

/** Which cell, which model, how many tokens, and whether the picture is of now. */
export function Header() {
  const { state, t, actions } = useEnv();
  const nameOf = useCellName();
  const shown = state.shown.value;
  const trace = shown?.trace;
  // A pinned cell may have no picture; the pin is the way out of that.
  const cell = trace?.cell ?? state.follower.pinned.value;
  return (
    <header class="attnlab-header">
      {cell !== null && <Pin cell={cell} />}
      {trace && (
        <>
          <span
            class="attnlab-chip attnlab-cell"
            data-testid="attnlab-cell"
            title={t('The cell that is shown')}
          >
            {nameOf(trace)}
          </span>
          <Picker />
          <ItemPicker shown={shown} />
          <span class="attnlab-chip attnlab-model-name" title={`${trace.model} ${shape(trace)}`}>
            <span>{trace.model}</span> <span class="attnlab-soft">{shape(trace)}</span>
          </span>
          <Length of={shown.sequences[0]} />
        </>
      )}
      <Status />
      {trace && <TryButton />}
      {actions.open && <Open open={actions.open} />}
    </header>
  );
}

/** How long the main sequence is. */
function Length({ of }: { of: SequenceSummary | undefined }) {
  const { t } = useEnv();
  const count = of?.tokens.length ?? 0;
  const said =
    of?.name === 'patches'
      ? t('%1 patches', count)
      : of?.name === 'positions'
        ? t('%1 positions', count)
        : count === 1
          ? t('1 token')
          : t('%1 tokens', count);
  return <span class="attnlab-chip">{said}</span>;
}

/** The state in a word, and in a sentence for who points at it. */
function Status() {
  const { state, t } = useEnv();
  const { kind, message } = state.follower.status.value;
  const trace = state.trace.value;
  const milliseconds = state.follower.document.value?.milliseconds.value ?? null;
  const words: Record<StatusKind, string> = {
    none: t('idle'),
    starting: t('starting'),
    waiting: t('waiting'),
    running: t('running'),
    computing: t('computing'),
    ready: t('ready'),
    live: t('live'),
    tried: t('tried text'),
    stale: t('stale'),
    dead: t('dead')
  };
  return (
    <span
      class="attnlab-status"
      role="status"
      data-testid="attnlab-status"
      data-kind={kind}
      title={t(message)}
    >
      <span class="attnlab-dot" aria-hidden="true" />
      {words[kind]}
      {kind === 'ready' && trace && (
        <span class="attnlab-soft" title={t('Duration of the model’s call')}>
          {duration(trace.milliseconds)}
        </span>
      )}
      {kind === 'live' && milliseconds !== null && (
        <span class="attnlab-soft" title={t('From the last edit to its picture')}>
          {duration(milliseconds)}
        </span>
      )}
    </span>
  );
}

/** Chooses among the model calls of one run of the cell. */
function Picker() {
  const { state, t } = useEnv();
  const calls = state.follower.calls.value;
  if (calls.length < 2) {
    return null;
  }
  return (
    <select
      class="attnlab-picker"
      data-testid="attnlab-picker"
      aria-label={t('Model call')}
      value={state.trace.value?.id ?? ''}
      onChange={event => state.follower.pick(event.currentTarget.value)}
    >
      {calls.map((call, i) => (
        <option key={call.id} value={call.id}>
          {t('call %1 of %2', i + 1, calls.length)}
          {call.sequences[0]?.text ? ` · ${beginning(call.sequences[0].text, 32)}` : ''}
        </option>
      ))}
    </select>
  );
}

/** Opens another panel like this one. */
function Open({ open }: { open: () => void }) {
  const { t } = useEnv();
  return (
    <button
      type="button"
      class="attnlab-icon-button"
      data-testid="attnlab-open"
      title={t('Open another panel like this one in the main area')}
      aria-label={t('Open in the main area')}
      onClick={open}
    >
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path
          d="M6.5 2.5h-4v11h11v-4M9.5 2.5h4v4M13.5 2.5l-6 6"
          fill="none"
          stroke="currentColor"
          stroke-width="1.3"
          stroke-linejoin="round"
          stroke-linecap="round"
        />
      </svg>
    </button>
  );
}

/** Keeps the panel to this cell, whichever cell runs. */
function Pin({ cell }: { cell: string }) {
  const { state, t } = useEnv();
  const pinned = state.follower.pinned.value === cell;
  return (
    <button
      type="button"
      class="attnlab-icon-button attnlab-pin"
      data-testid="attnlab-pin"
      aria-pressed={pinned}
      title={
        pinned
          ? t('Pinned to this cell; click to follow the cell that runs')
          : t('Following the cell that runs; click to pin this one')
      }
      aria-label={t('Pin to this cell')}
      onClick={() => state.follower.pin(pinned ? null : cell)}
    >
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path
          d="M5.5 1.5h5M6.5 1.5v4.5l-2.5 3h8l-2.5-3V1.5M8 9v5.5"
          fill={pinned ? 'currentColor' : 'none'}
          stroke="currentColor"
          stroke-width="1.3"
          stroke-linejoin="round"
          stroke-linecap="round"
        />
      </svg>
      {pinned && <span>{t('pinned')}</span>}
    </button>
  );
}

/** Layers × heads where all layers have as many, else the number of heads. */
function shape({ sites }: TraceSummary): string {
  const heads = new Set(sites.map(site => site.heads));
  const total = sites.reduce((sum, site) => sum + site.heads, 0);
  return heads.size === 1 ? `${sites.length}×${[...heads][0]}` : String(total);
}

function duration(milliseconds: number): string {
  return milliseconds < 9950
    ? `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
