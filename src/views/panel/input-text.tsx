import { useEnv } from '../parts/env';
import { WrappedTokens } from './wrapped-tokens';

/** The tokens of the model's input; queries and keys separately if they are different texts. */
export function InputText() {
  const { state, t } = useEnv();
  const { queries, keys, same, written } = state.sides.value;
  return (
    <section class="attnlab-strip" aria-label={t('Text')}>
      {same ? (
        <WrappedTokens side="query" tokens={queries} written={written.query} same />
      ) : (
        <>
          <h3>{t('Queries')}</h3>
          <WrappedTokens side="query" tokens={queries} written={written.query} same={false} />
          <h3>{t('Keys')}</h3>
          <WrappedTokens side="key" tokens={keys} written={written.key} same={false} />
        </>
      )}
    </section>
  );
}
