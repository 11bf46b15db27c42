import type { Token } from '../protocol/messages';
import { useEnv } from './env';

/** What a token is beside its text. */
export interface TokenNote {
  /** For tooltip and screen reader; empty for an ordinary token. */
  text: string;
  /** Whether the model's own text begins with it. */
  first: boolean;
}

/**
 * Returns what is to be said of a token on a side whose text the model has written from
 * `written`; `outside` is one that the head view leaves out.
 */
export function useTokenNote(): (
  token: Token,
  index: number,
  written: number | null,
  outside?: boolean
) => TokenNote {
  const { t } = useEnv();
  return ({ padding }, index, written, outside = false) => {
    const first = index === written;
    const text = padding
      ? t('padding: no other token sees it, and its own weights mean nothing')
      : first
        ? t('from here on the model has written the text itself')
        : written !== null && index > written
          ? t('written by the model')
          : '';
    const left = outside ? t('left out of the head view') : '';
    return { text: [text, left].filter(Boolean).join(' · '), first };
  };
}
