import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * Returns a translation function for packages that do not depend on JupyterLab. They fill in the
 * values themselves, so each placeholder is replaced by itself.
 */
export function translateFunction(trans: TranslationBundle): (text: string) => string {
  // eslint-disable-next-line @jupyter/no-dynamic-translation
  return text => trans.__(text, '%1', '%2', '%3', '%4');
}
