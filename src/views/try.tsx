import { useEffect, useRef } from 'preact/hooks';
import { useEnv } from './env';
import { Working } from './working';

/** Opens the box for another text. */
export function TryButton({ plain = false }: { plain?: boolean }) {
  const { state, t } = useEnv();
  const open = state.trial.texts.value.state !== 'closed';
  const said = t('Try another text');
  return (
    <button
      type="button"
      class={plain ? 'attnlab-link-button' : 'attnlab-icon-button'}
      data-testid={plain ? 'attnlab-try-instead' : 'attnlab-try'}
      title={t('Try another text in the same call; the cell stays as it is')}
      aria-label={said}
      aria-expanded={open}
      onClick={() => (open ? state.trial.close() : state.trial.open())}
    >
      {plain ? said : <Pencil />}
    </button>
  );
}

/** One box for each text of the shown call; the views follow what is typed. */
export function Try() {
  const { state, t } = useEnv();
  const { trial } = state;
  const now = trial.texts.value;
  const error = trial.error.value;
  const opened = now.state === 'open';
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (opened) {
      box.current?.querySelector('textarea')?.focus();
    }
  }, [opened]);
  if (now.state === 'closed') {
    return null;
  }
  return (
    <section
      ref={box}
      class="attnlab-try"
      aria-label={t('Try another text')}
      data-testid="attnlab-try-box"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.preventDefault();
          trial.close();
        }
      }}
    >
      {now.state === 'asking' && <p class="attnlab-soft">{t('Asking for the text.')}</p>}
      {now.state === 'refused' && <p role="alert">{now.why}</p>}
      {now.state === 'open' &&
        now.texts.map((text, i) => (
          <textarea
            key={i}
            rows={Math.min(4, text.split('\n').length)}
            spellcheck={false}
            aria-label={now.texts.length === 1 ? t('Text to try') : t('Text %1 to try', i + 1)}
            aria-invalid={error !== null}
            value={text}
            onInput={event => trial.type(i, event.currentTarget.value)}
          />
        ))}
      {error !== null && (
        <p role="alert" data-testid="attnlab-try-error">
          {error}
        </p>
      )}
      <p class="attnlab-try-foot">
        <span class="attnlab-soft">{t('The cell stays as it is.')}</span>
        <Working word={t('computing')} progress={trial.progress} />
        <button
          type="button"
          class="attnlab-link-button"
          data-testid="attnlab-try-close"
          onClick={() => trial.close()}
        >
          {t('Back to the cell (Esc)')}
        </button>
      </p>
    </section>
  );
}

function Pencil() {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path
        d="M2.5 13.5l.8-3.3 7.7-7.7 2.5 2.5-7.7 7.7zM9.5 4l2.5 2.5"
        fill="none"
        stroke="currentColor"
        stroke-width="1.3"
        stroke-linejoin="round"
      />
    </svg>
  );
}
