import type { ReadonlySignal } from '@preact/signals';
import type { Progress } from '../state/pictures';
import { useEnv } from './env';

interface WorkingProps {
  word: string;
  /** The kernel reports what takes it over half a second. */
  progress: ReadonlySignal<Progress | null>;
}

/** Says that the kernel is at work on what is shown, and how far it is where that is known. */
export function Working({ word, progress }: WorkingProps) {
  const { t } = useEnv();
  const now = progress.value;
  if (!now) {
    return null;
  }
  return (
    <span class="attnlab-working" data-testid="attnlab-working">
      {word} {now.total > 0 && t('%1 %', Math.floor((100 * now.done) / now.total))}
    </span>
  );
}
