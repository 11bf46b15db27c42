import { useEnv } from '../parts/env';

/** Returns a function that describes a score term of the model. */
export function useScoreTerms(): (label: string) => string {
  const { t } = useEnv();
  const sentences: Record<string, string> = {
    'q·k': t('The sum of q × k over all dimensions'),
    scale: t('The score times the model’s scaling factor, e.g. 1/√d'),
    softcap: t('The score after soft-capping with tanh'),
    bias: t('The score plus the model’s bias for the two positions'),
    mask: t('The score after the attention mask passed to the model'),
    fill: t('The score after the model has replaced some scores with a constant'),
    floor: t('The score after clamping to a lower bound'),
    causal: t('The score after the causal mask, which hides keys later than the query'),
    window: t('The score after the sliding-window mask, which hides distant keys'),
    softmax: t('The softmax of the scores over all keys, before the model changes it')
  };
  return label => sentences[label] ?? t('The score after the term “%1”', label);
}
