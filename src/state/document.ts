import {
  batch,
  computed,
  effect,
  signal,
  untracked,
  type ReadonlySignal
} from '@preact/signals-core';
import { ErrorCode, type Change, type Diagnostic, type Source } from '../protocol/messages';
import { RpcError } from '../protocol/rpc-error';
import type { Patience } from './patience';

/** How far the views are with what a cell says. */
export type Phase =
  | 'live' // they show this very text
  | 'computing' // they are about to
  | 'stale' // they show an older text
  | 'waiting' // the kernel does not answer, or runs a cell
  | 'off'; // they show this very text, and do not follow edits

/** Milliseconds between two messages about one document: more are not seen. */
const FRAME = 16;

/** Milliseconds until a message that came to nothing is sent again. */
const RETRY = 2000;

/** How often the whole text is sent because the kernel holds another version. */
const REPEATS = 3;

/** What diagnostics say that a text cannot be shown without running the cell. */
const REFUSALS: ReadonlySet<Diagnostic['code']> = new Set([
  'syntax',
  'unrun',
  'changed',
  'unknown',
  'long',
  'model',
  'failed'
]);

/** What a document needs of those around it. */
export interface Surroundings {
  backend: ReadonlySignal<Patience | null>;
  /** Whether a watched cell runs. */
  running: ReadonlySignal<boolean>;
  /** The text that the views show. */
  source: ReadonlySignal<Source | null>;
  /** Most tokens that are passed through a model while typing. */
  limit: ReadonlySignal<number>;
  /** Milliseconds after the last keystroke. */
  delay: ReadonlySignal<number>;
  /** Asks for the kernel's whole state: a push must have been lost. */
  resync: () => void;
}

interface Told {
  version: number;
  text: string;
}

interface Answer {
  text: string;
  diagnostics: readonly Diagnostic[];
}

/**
 * What one tagged cell says, followed by the kernel as it is typed.
 *
 * The views are current when they show this very text, however that came: by a run, by
 * typing, by undoing, or from another page. Versions only serve the messages.
 */
export class Document {
  readonly text: ReadonlySignal<string>;
  /** Whether edits are followed. */
  readonly live: ReadonlySignal<boolean>;
  /** What the views show of the cell; null where it has not run. */
  readonly source: ReadonlySignal<Source | null>;
  readonly current: ReadonlySignal<boolean>;
  readonly phase: ReadonlySignal<Phase>;
  /** What is to be said of this text; the first says why it cannot be shown, if it cannot. */
  readonly diagnostics: ReadonlySignal<readonly Diagnostic[]>;
  /** Why this text, or an edit of it, cannot be shown without running the cell. */
  readonly refused: ReadonlySignal<Diagnostic | null>;
  /** From the last edit to its picture. */
  readonly milliseconds: ReadonlySignal<number | null>;

  private readonly held = {
    text: signal(''),
    live: signal(true),
    answer: signal<Answer | null>(null),
    busy: signal(false),
    milliseconds: signal<number | null>(null)
  };
  private version = 0;
  /** What the kernel holds; null where that is not known. */
  private told: Told | null = null;
  private asking: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sent = -Infinity;
  private edited: number | null = null;
  private readonly disposers: (() => void)[];

  constructor(
    readonly cell: string,
    text: string,
    live: boolean,
    private readonly around: Surroundings
  ) {
    const { held } = this;
    held.text.value = text;
    held.live.value = live;
    this.text = held.text;
    this.live = held.live;
    this.source = around.source;
    this.milliseconds = held.milliseconds;
    this.current = computed(() => around.source.value?.text === held.text.value);
    this.diagnostics = computed(() => {
      const [source, answer] = [around.source.value, held.answer.value];
      if (source && this.current.value) {
        return source.diagnostics;
      }
      return answer?.text === held.text.value ? answer.diagnostics : [];
    });
    this.refused = computed(
      () => this.diagnostics.value.find(({ code }) => REFUSALS.has(code)) ?? null
    );
    this.phase = computed(() => {
      const backend = around.backend.value;
      if (this.current.value) {
        const follows = held.live.value && !this.refused.value;
        return !follows ? 'off' : backend ? 'live' : 'waiting';
      }
      if (!held.live.value) {
        return 'stale';
      }
      if (!backend || around.running.value || backend.exhausted.value) {
        return 'waiting';
      }
      return held.busy.value ? 'computing' : 'stale';
    });
    this.disposers = [
      effect(() => {
        const backend = around.backend.value;
        untracked(() => this.attach(backend));
      }),
      effect(() => {
        if (this.current.value) {
          untracked(() => this.arrive());
        }
      }),
      effect(() => {
        // What was typed while a cell ran is caught up with after it.
        if (!around.running.value) {
          untracked(() => this.catchUp());
        }
      })
    ];
  }

  /** The cell has this text now; told at every change of it. */
  edit(text: string): void {
    if (text === this.held.text.peek()) {
      return;
    }
    this.edited = performance.now();
    this.version++;
    batch(() => {
      this.held.text.value = text;
      this.follow();
    });
  }

  /** Follows edits, or does not. */
  setLive(live: boolean): void {
    batch(() => {
      this.held.live.value = live;
      this.follow();
    });
  }

  /** Shows this text, as soon as messages may go out. */
  private follow(): void {
    this.stop();
    const { live, busy } = this.held;
    if (!live.peek() || this.current.peek() || !this.around.source.peek()) {
      return;
    }
    busy.value = true;
    const { delay } = this.around;
    const wait = Math.max(delay.peek(), this.sent + FRAME - performance.now());
    if (wait > 0) {
      this.timer = setTimeout(() => void this.ask(), wait);
    } else {
      void this.ask();
    }
  }

  /** The views show this text. */
  private arrive(): void {
    // The answer to what was asked is on its way: to cancel it would be a message more.
    clearTimeout(this.timer);
    this.held.busy.value = false;
    if (this.edited !== null) {
      this.held.milliseconds.value = performance.now() - this.edited;
      this.edited = null;
    }
  }

  private catchUp(): void {
    if (!this.asking && !this.held.busy.peek() && this.edited !== null) {
      this.follow();
    }
  }

  /** Wants no answer any more. */
  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.asking?.abort();
    this.asking = null;
    this.held.busy.value = false;
  }

  private attach(backend: Patience | null): void {
    this.stop();
    this.told = null;
    this.held.answer.value = null;
    if (backend) {
      void this.open(backend);
    }
  }

  /** Tells a kernel that is new to the document of it. */
  private async open(backend: Patience): Promise<void> {
    const asking = (this.asking = new AbortController());
    const told = { version: this.version, text: this.held.text.peek() };
    const params = { cell: this.cell, ...told };
    try {
      const { result } = await backend.request('textDocument/didOpen', params, asking.signal);
      if (this.asking === asking) {
        this.asking = null;
        this.told = told;
        this.held.answer.value = { text: told.text, diagnostics: result.diagnostics };
        this.follow();
      }
    } catch {
      if (this.asking === asking) {
        this.asking = null;
        // The first change sends the whole text, which opens it as well.
        this.follow();
      }
    }
  }

  private async ask(): Promise<void> {
    const backend = this.around.backend.peek();
    if (!backend) {
      return;
    }
    const asking = (this.asking = new AbortController());
    const text = this.held.text.peek();
    this.held.busy.value = true;
    try {
      const answer = await this.send(backend, text, asking.signal);
      if (this.asking !== asking) {
        return;
      }
      this.asking = null;
      batch(() => {
        this.held.answer.value = { text, diagnostics: answer.diagnostics };
        this.held.busy.value = false;
      });
      if (answer.live && !this.current.peek()) {
        this.around.resync();
      }
    } catch (error) {
      if (this.asking !== asking) {
        return;
      }
      this.asking = null;
      this.told = null;
      if (this.current.peek()) {
        return;
      }
      if (error instanceof RpcError) {
        this.fail(text, error.message);
      } else {
        // Nothing has come of it: the kernel is busy, or a message was lost.
        this.timer = setTimeout(() => void this.ask(), RETRY);
      }
    }
  }

  /** Sends a text until the kernel takes it: as edits of the version that it holds, or whole. */
  private async send(backend: Patience, text: string, signal: AbortSignal) {
    for (let repeat = 0; ; repeat++) {
      const { told } = this;
      const version = this.version;
      const params = {
        cell: this.cell,
        base: told?.version ?? 0,
        version,
        changes: [told ? difference(told.text, text) : { text }],
        limit: this.around.limit.peek()
      };
      this.sent = performance.now();
      // Later edits build on this one; where it is lost, they are refused, and sent whole.
      this.told = { version, text };
      try {
        const { result } = await backend.request('textDocument/didChange', params, signal);
        return result;
      } catch (error) {
        const modified = error instanceof RpcError && error.code === ErrorCode.CONTENT_MODIFIED;
        if (!modified || signal.aborted || repeat === REPEATS) {
          throw error;
        }
        this.told = null;
      }
    }
  }

  private fail(text: string, message: string): void {
    const span = { start: 0, end: 0 };
    const diagnostic: Diagnostic = { span, severity: 'error', code: 'failed', message };
    batch(() => {
      this.held.answer.value = { text, diagnostics: [diagnostic] };
      this.held.busy.value = false;
    });
  }

  /** Lets the kernel forget the document. */
  dispose(): void {
    this.stop();
    this.held.live.value = false;
    this.disposers.forEach(dispose => dispose());
    const backend = this.around.backend.peek();
    backend?.request('textDocument/didClose', { cell: this.cell }).catch(() => undefined);
  }
}

/** The one stretch in which two texts differ, in UTF-16 code units. */
export function difference(before: string, after: string): Change {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) {
    start++;
  }
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) {
    end++;
  }
  const span = { start, end: before.length - end };
  return { span, text: after.slice(start, after.length - end) };
}

/** On which line a place stands, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
