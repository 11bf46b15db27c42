import { signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionParams
} from '../../protocol/messages';
import { OVERDUE_AFTER } from '../timing';

/**
 * A backend that reports when a request takes long.
 *
 * Some kernels answer no requests while a cell runs. That is not an error, but the user must see
 * that the panel is waiting.
 */
export class MonitoredBackend implements Backend {
  /** Whether a request has been unanswered for `milliseconds`. */
  readonly isOverdue: ReadonlySignal<boolean>;
  private readonly anyOverdue: Signal<boolean> = signal(false);
  private readonly overdueRequests = new Set<object>();

  constructor(
    private readonly backend: Backend,
    private readonly milliseconds = OVERDUE_AFTER
  ) {
    this.isOverdue = this.anyOverdue;
  }

  get client(): string {
    return this.backend.client;
  }

  async request<M extends RequestMethod>(
    method: M,
    params: Params<M>,
    signal?: AbortSignal,
    onProgress?: (progress: ProgressParams) => void
  ): Promise<Reply<M>> {
    const token = {};
    const timer = setTimeout(() => {
      this.overdueRequests.add(token);
      this.anyOverdue.value = true;
    }, this.milliseconds);
    try {
      return await this.backend.request(method, params, signal, onProgress);
    } finally {
      clearTimeout(timer);
      this.overdueRequests.delete(token);
      this.anyOverdue.value = this.overdueRequests.size > 0;
    }
  }

  notify<M extends keyof Notifications>(method: M, params: Notifications[M]): void {
    this.backend.notify(method, params);
  }

  onPublish(listener: (params: PublishParams, buffers: ArrayBuffer[]) => void): () => void {
    return this.backend.onPublish(listener);
  }

  onSelect(listener: (params: SelectionParams) => void): () => void {
    return this.backend.onSelect(listener);
  }

  onGone(listener: (why: string) => void): () => void {
    return this.backend.onGone(listener);
  }
}
