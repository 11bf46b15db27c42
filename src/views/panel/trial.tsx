import { useEffect, useRef } from 'preact/hooks';
import { useEnv } from '../parts/env';
import { Icon } from '../parts/icon';
import { ProgressNote } from '../parts/progress-note';

const PENCIL = 'M2.5 13.5l.8-3.3 7.7-7.7 2.5 2.5-7.7 7.7zM9.5 4l2.5 2.5';

/** Opens and closes the trial editor. */
export function TrialButton({ plain = false }: { plain?: boolean }) {
  const { state, t } = useEnv();
  const open = state.trial.texts.value.state !== 'closed';
  const label = t('Try another text');
  return (
    <button
      type="button"
      class={plain ? 'attnlab-link-button' : 'attnlab-icon-button'}
      data-testid={plain ? 'attnlab-try-link' : 'attnlab-try'}
      title={t('Try another text in the same model call; the cell does not change')}
      aria-label={label}
      aria-expanded={open}
      onClick={() => (open ? state.trial.close() : state.trial.open())}
    >
      {plain ? label : <Icon path={PENCIL} />}
    </button>
  );
}

/** One text box for each text of the shown model call; the views follow the typed text. */
export function TrialEditor() {
  const { state, t } = useEnv();
  const { trial } = state;
  const current = trial.texts.value;
  const error = trial.error.value;
  const open = current.state === 'open';
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (open) {
      box.current?.querySelector('textarea')?.focus();
    }
  }, [open]);
  if (current.state === 'closed') {
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
      {current.state === 'asking' && <p class="attnlab-soft">{t('Loading the text.')}</p>}
      {current.state === 'refused' && <p role="alert">{t(current.why)}</p>}
      {current.state === 'open' &&
        current.texts.map((text, i) => (
          <textarea
            key={i}
            rows={Math.min(4, text.split('\n').length)}
            spellcheck={false}
            aria-label={current.texts.length === 1 ? t('Trial text') : t('Trial text %1', i + 1)}
            aria-invalid={error !== null}
            value={text}
            onInput={event => trial.type(i, event.currentTarget.value)}
          />
        ))}
      {error !== null && (
        <p role="alert" data-testid="attnlab-try-error">
          {t(error)}
        </p>
      )}
      <p class="attnlab-try-foot">
        <span class="attnlab-soft">{t('The cell does not change.')}</span>
        <ProgressNote word={t('computing')} progress={trial.progress} />
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
