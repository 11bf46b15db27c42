import { ErrorCode, type DocumentResult } from '../../protocol/messages';
import { RpcError } from '../../protocol/rpc-error';
import { difference } from '../text/edits';
import type { MonitoredBackend } from './monitored-backend';

/** How often the whole text is sent again because the kernel has another version. */
const REPEATS = 3;

/** A text of a document, and its number. */
export interface Version {
  version: number;
  text: string;
}

/** What a change is sent with. */
export interface ChangeOptions {
  /** Maximum number of tokens that are passed through a model. */
  limit: number;
  /** Whether the change was made before a view showed the cell. */
  earlier: boolean;
}

/** The copy of a cell's document in the kernel. */
export class RemoteDocument {
  /** When the last change was sent, on the clock of `performance.now()`. */
  sentAt = -Infinity;
  /** The version that the kernel has; null if unknown. */
  private known: Version | null = null;

  constructor(private readonly cell: string) {}

  /** Forgets the kernel's version, e.g. because the kernel is another one. */
  reset(): void {
    this.known = null;
  }

  /** Opens the document in a kernel that does not know it. */
  async open(
    backend: MonitoredBackend,
    now: Version,
    signal: AbortSignal
  ): Promise<DocumentResult> {
    const params = { cell: this.cell, ...now };
    const { result } = await backend.request('textDocument/didOpen', params, signal);
    if (!signal.aborted) {
      this.known = now;
    }
    return result;
  }

  /** Sends a text as an edit of the kernel's version; if the kernel has another one, sends it whole. */
  async change(
    backend: MonitoredBackend,
    now: Version,
    { limit, earlier }: ChangeOptions,
    signal: AbortSignal
  ): Promise<DocumentResult> {
    for (let repeat = 0; ; repeat++) {
      const { known } = this;
      const params = {
        cell: this.cell,
        base: known?.version ?? 0,
        version: now.version,
        changes: [known ? difference(known.text, now.text) : { text: now.text }],
        limit,
        ...(earlier && { earlier })
      };
      this.sentAt = performance.now();
      // Later edits are based on this version; if it is lost, they are refused and sent whole.
      this.known = now;
      try {
        return (await backend.request('textDocument/didChange', params, signal)).result;
      } catch (error) {
        if (signal.aborted) {
          throw error;
        }
        this.known = null;
        const modified = error instanceof RpcError && error.code === ErrorCode.CONTENT_MODIFIED;
        if (!modified || repeat === REPEATS) {
          throw error;
        }
      }
    }
  }

  /** Closes the document. */
  close(backend: MonitoredBackend): void {
    backend.request('textDocument/didClose', { cell: this.cell }).catch(() => undefined);
  }
}
