import { signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Backend } from '../protocol/backend';
import type {
  Notifications,
  Params,
  ProgressParams,
  PublishParams,
  Reply,
  RequestMethod,
  SelectionParams
} from '../protocol/messages';

/**
 * A backend that knows when it keeps a person waiting.
 *
 * A kernel whose version answers nothing while a cell runs leaves requests unanswered for as
 * long as the cell takes. That is no failure, but it must be said.
 */
export class Patience implements Backend {
  /** Whether a request has gone unanswered for `milliseconds`. */
  readonly exhausted: ReadonlySignal<boolean>;
  private readonly waiting: Signal<boolean> = signal(false);
  private readonly overdue = new Set<object>();

  constructor(
    private readonly backend: Backend,
    private readonly milliseconds = 1500
  ) {
    this.exhausted = this.waiting;
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
      this.overdue.add(token);
      this.waiting.value = true;
    }, this.milliseconds);
    try {
      return await this.backend.request(method, params, signal, onProgress);
    } finally {
      clearTimeout(timer);
      this.overdue.delete(token);
      this.waiting.value = this.overdue.size > 0;
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
