import type { ReadonlySignal } from '@preact/signals';
import type { Progress } from '../../state/kernel/payload-key';
import { useEnv } from './env';

interface ProgressNoteProps {
  word: string;
  /** The kernel reports progress of computations that take longer than half a second. */
  progress: ReadonlySignal<Progress | null>;
}

/** Shows that the kernel is computing, with the percentage where it is known. */
export function ProgressNote({ word, progress }: ProgressNoteProps) {
  const { t } = useEnv();
  const now = progress.value;
  if (!now) {
    return null;
  }
  return (
    <span class="attnlab-working" data-testid="attnlab-working">
      {word} {now.total > 0 && t('%1%', Math.floor((100 * now.done) / now.total))}
    </span>
  );
}
