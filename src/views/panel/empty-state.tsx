import { useEnv } from '../parts/env';
import { useStatus } from './status';

/** The panel without a trace: the status, or how to record one. */
export function EmptyState() {
  const { state, t, actions } = useEnv();
  const { kind, message, remedy } = useStatus();
  const problem = state.follower.problem.value;
  const busy = kind === 'starting' || kind === 'waiting' || kind === 'running';
  const pinned = kind === 'none' && !problem && state.session.traces.value.length > 0;
  const introduction = kind === 'none' && !problem && !remedy && !pinned;
  return (
    <div class="attnlab-empty" data-testid="attnlab-empty" data-kind={problem ? 'problem' : kind}>
      <Emblem busy={busy} />
      <h2>
        {pinned
          ? t('No attention recorded for the pinned cell')
          : introduction
            ? t('See what attention does')
            : (problem?.title ?? message)}
      </h2>
      {pinned && <p>{t('Run it, or unpin it to follow the most recently run cell.')}</p>}
      {problem && <p>{problem.cause}</p>}
      {remedy && <Remedy text={remedy} />}
      {busy && <p class="attnlab-soft">{t('Attention appears here after a model call.')}</p>}
      {(introduction || (kind === 'dead' && !remedy)) && (
        <>
          <ol>
            {actions.tagCell ? (
              <>
                <li>
                  {t('Give a cell that calls a model the tag')} <code>attention</code>.
                </li>
                <li>{t('Run it. Every layer and head appears here.')}</li>
              </>
            ) : (
              <>
                <li>
                  {t('Watch your model in a cell:')} <code>attnlab.watch(model, tokenizer)</code>
                </li>
                <li>{t('Run a cell that calls the model. Every layer and head appears here.')}</li>
              </>
            )}
            <li>{t('Hover over a token to follow it through all of them.')}</li>
          </ol>
          {actions.tagCell && (
            <button
              type="button"
              class="attnlab-button"
              data-testid="attnlab-tag-cell"
              onClick={() => actions.tagCell?.()}
            >
              {t('Tag the selected cell')}
            </button>
          )}
          <p class="attnlab-soft attnlab-centered">
            {actions.tagCell ? t('or, from Python:') : t('or show a recorded trace:')}
            <br />
            <code>
              {actions.tagCell ? 'attnlab.watch(model, tokenizer)' : 'attnlab.show(trace)'}
            </code>
          </p>
        </>
      )}
    </div>
  );
}

/** The command or sentence that solves the problem, with a button that copies it. */
function Remedy({ text }: { text: string }) {
  const { t, actions } = useEnv();
  return (
    <div class="attnlab-remedy-box">
      <code>{text}</code>
      {actions.copy && (
        <button type="button" class="attnlab-button" onClick={() => actions.copy?.(text)}>
          {t('Copy')}
        </button>
      )}
    </div>
  );
}

/** Two columns of tokens with lines between them. */
function Emblem({ busy }: { busy: boolean }) {
  const rows = [8, 24, 40, 56];
  const to = [24, 8, 40, 40];
  return (
    <svg class="attnlab-emblem" data-busy={busy} viewBox="0 0 96 64" aria-hidden="true">
      {rows.map((y, i) => (
        <g key={y}>
          <rect x="2" y={y - 4} width="16" height="8" rx="2" />
          <rect x="78" y={y - 4} width="16" height="8" rx="2" />
          <path d={`M20 ${y}C48 ${y} 48 ${to[i]} 76 ${to[i]}`} />
        </g>
      ))}
    </svg>
  );
}
