import type { Diagnostic, Source } from '../../protocol/messages';

/** Codes of diagnostics because of which a text cannot be shown without running the cell. */
const REFUSALS: ReadonlySet<Diagnostic['code']> = new Set([
  'syntax',
  'unrun',
  'changed',
  'unknown',
  'long',
  'model',
  'failed',
  'slow'
]);

/** The kernel's answer to an edit: the diagnostics of a text. */
export interface Answer {
  text: string;
  diagnostics: readonly Diagnostic[];
}

/**
 * Returns the diagnostics of a text.
 *
 * @param source - The text that the views show.
 * @param answer - The newest answer.
 */
export function diagnosticsOf(
  text: string,
  source: Source | null,
  answer: Answer | null
): readonly Diagnostic[] {
  if (source?.text === text) {
    return source.diagnostics;
  }
  if (answer?.text !== text) {
    return [];
  }
  // An answer from before the cell ran is outdated: the cell may have run in another page.
  return source ? answer.diagnostics.filter(({ code }) => code !== 'unrun') : answer.diagnostics;
}

/** Returns the diagnostic because of which a text cannot be shown; null if there is none. */
export function refusalIn(diagnostics: readonly Diagnostic[]): Diagnostic | null {
  return diagnostics.find(({ code }) => REFUSALS.has(code)) ?? null;
}
