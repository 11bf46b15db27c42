import type { CellDocument } from './cell-document';
import * as messages from './user-messages';
import type { UserMessage } from './user-messages';
import { runMessage } from './unfinished-run';

/** Returns the message that explains the phase of a document. Reads signals. */
export function phaseMessage(document: CellDocument): UserMessage {
  const { phase, source, refused, gone, unfinished } = document;
  switch (phase.value) {
    case 'live':
      return { message: messages.VIEWS_FOLLOW };
    case 'computing':
      return { message: messages.VIEWS_COMPUTE };
    case 'running':
      return runMessage(unfinished.value);
    case 'waiting':
      return { message: messages.VIEWS_WAIT };
    case 'paused':
      return { message: messages.NO_VIEW };
    case 'stale': {
      const ran = source.value !== null;
      return (
        gone.value ?? refused.value ?? { message: ran ? messages.VIEWS_STALE : messages.NOT_RUN }
      );
    }
    case 'off':
      return refused.value ?? { message: messages.NOT_FOLLOWING };
  }
}
