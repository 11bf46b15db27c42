import { signal } from '@preact/signals-core';
import type { Backend } from '../../protocol/backend';
import type { Problem, PublishParams, State, TraceSummary } from '../../protocol/messages';
import { PayloadCache } from './payload-cache';
import { SequenceCache } from './sequence-cache';

/** A `publish` message with its buffers. */
export interface Push {
  params: PublishParams;
  buffers: ArrayBuffer[];
}

/** What a kernel has sent: traces with their payloads and token sequences, problems and runs. */
export class KernelContent {
  readonly payloads = new PayloadCache();
  readonly sequences = new SequenceCache();
  readonly traces = signal<readonly TraceSummary[]>([]);
  readonly problems = signal<readonly Problem[]>([]);
  /** The watched cell that is running. */
  readonly running = signal<string | null>(null);
  /** The watched cell that ran last. */
  readonly last = signal<string | null>(null);

  /**
   * Sets the backend for requests.
   *
   * @param fresh - Whether it belongs to another kernel, which may use the same ids.
   */
  attach(backend: Backend, fresh: boolean): void {
    this.payloads.attach(backend, fresh);
    this.sequences.attach(backend, fresh);
  }

  /** Removes the backend; the content stays available. */
  detach(): void {
    this.running.value = null;
    this.payloads.detach();
    this.sequences.detach();
  }

  /** Replaces the content by the whole state of the kernel. */
  load(state: State): void {
    const kept = new Set(state.traces.map(({ id }) => id));
    const removed = this.traces.peek().flatMap(({ id }) => (kept.has(id) ? [] : [id]));
    this.traces.value = state.traces;
    this.problems.value = state.problems;
    this.running.value = state.running;
    this.last.value = state.last;
    this.forget(removed);
  }

  /** Applies the changes of a push. */
  apply(push: Push): void {
    const { trace, problem, removed, resolved = [], last, running } = push.params;
    const gone = new Set(removed);
    if (trace || gone.size) {
      const kept = this.traces.peek().filter(({ id }) => !gone.has(id) && id !== trace?.id);
      // One assignment, so that the view is never empty between removing and adding a trace.
      this.traces.value = trace ? [...kept, trace] : kept;
    }
    if (problem || resolved.length) {
      const past = new Set([...resolved, problem?.cell]);
      const kept = this.problems.peek().filter(other => !past.has(other.cell));
      this.problems.value = problem ? [...kept, problem] : kept;
    }
    this.last.value = last;
    this.running.value = running;
    this.addData(push);
    this.forget(removed);
  }

  /** Adds the payloads and token sequences of a push. */
  addData({ params, buffers }: Push): void {
    const present = new Set(this.traces.peek().map(({ id }) => id));
    for (const item of params.items ?? []) {
      if (present.has(item.trace)) {
        this.sequences.put(item);
      }
    }
    for (const payload of params.payloads) {
      if (present.has(payload.trace)) {
        this.payloads.put(payload, buffers);
      }
    }
  }

  private forget(traces: readonly string[]): void {
    this.payloads.forget(traces);
    this.sequences.forget(traces);
  }
}
