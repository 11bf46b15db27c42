import fc from 'fast-check';
import { signal } from '@preact/signals-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorCode, type Change, type Source } from '../../../protocol/messages';
import { RpcError } from '../../../protocol/rpc-error';
import { HandBackend } from '../../__tests__/kernel';
import { difference, lineOf } from '../../text/edits';
import { CellDocument } from '../cell-document';
import { CellDocuments } from '../cell-documents';
import { MonitoredBackend } from '../monitored-backend';

function source(text: string): Source {
  return { cell: 'a', execution: 1, text, origins: [], diagnostics: [], outdated: false };
}

function made(change: Change, text: string): string {
  const { start, end } = change.span ?? { start: 0, end: text.length };
  return text.slice(0, start) + change.text + text.slice(end);
}

/** A kernel whose messages are late, lost, refused or repeated, as a test says. */
class Adversary {
  readonly backend = signal<MonitoredBackend | null>(null);
  readonly running = signal<string | null>(null);
  hand = new HandBackend();
  shown = '';
  held: { version: number; text: string } | null = null;
  readonly documents = new CellDocuments(
    {
      backend: this.backend,
      hostStatus: signal(null),
      running: this.running,
      traces: signal([]),
      watched: signal(true),
      resync: () => this.resync()
    },
    CellDocument
  );

  start(): void {
    this.hand = new HandBackend();
    this.held = null;
    this.backend.value = new MonitoredBackend(this.hand);
  }

  resync(): void {
    this.documents.load([source(this.shown)]);
  }

  get pending() {
    return this.hand.open.filter(({ signal }) => !signal?.aborted);
  }

  lose(): void {
    const [request] = this.pending;
    if (request) {
      this.hand.open.splice(this.hand.open.indexOf(request), 1);
      request.refuse('lost');
    }
  }

  asked(): string[] {
    return this.pending.map(({ method }) => method);
  }

  /** Answers the oldest or newest request that is wanted; `push` is whether its push arrives. */
  answer(newest: boolean, push: boolean): void {
    const request = newest ? this.pending.at(-1) : this.pending[0];
    if (!request) {
      return;
    }
    this.hand.open.splice(this.hand.open.indexOf(request), 1);
    const params = request.params as {
      version: number;
      text: string;
      base: number;
      changes: Change[];
    };
    const result = { version: params.version, live: true, diagnostics: [], milliseconds: 1 };
    if (request.method === 'textDocument/didOpen') {
      this.held = { version: params.version, text: params.text };
      request.answer(result);
      return;
    }
    const [change] = params.changes;
    if (!change || (change.span && this.held?.version !== params.base)) {
      request.fail(new RpcError(ErrorCode.CONTENT_MODIFIED, 'another version'));
      return;
    }
    this.held = { version: params.version, text: made(change, this.held?.text ?? '') };
    this.shown = this.held.text;
    if (push) {
      this.documents.take(source(this.shown));
    }
    request.answer(result);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the difference of two texts', () => {
  it('turns the one into the other', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => made(difference(a, b), a) === b));
  });

  it('is no longer than what was typed', () => {
    expect(difference('the fox', 'the red fox')).toEqual({
      span: { start: 4, end: 4 },
      text: 'red '
    });
  });
});

it('counts lines from 1', () => {
  expect([0, 2, 4].map(at => lineOf('a\nb\nc', at))).toEqual([1, 2, 3]);
});

describe('a document', () => {
  it('is opened in a kernel even if the views show its text already', () => {
    const world = new Adversary();
    world.documents.load([source('x')]);
    world.documents.follow('a', 'x', true);
    world.start();
    expect(world.pending.map(({ method }) => method)).toEqual(['textDocument/didOpen']);
  });

  it('is current again immediately when an edit is undone', () => {
    const world = new Adversary();
    world.documents.load([source('x')]);
    const document = world.documents.follow('a', 'x', true);
    world.start();
    document.edit('xy');
    expect(document.phase.value).toBe('computing');
    document.edit('x');
    expect(document.phase.value).toBe('live');
    expect(world.asked()).toEqual([]);
  });

  it('catches up with what was typed while its cell ran for the first time', () => {
    const world = new Adversary();
    const document = world.documents.follow('a', 'x', true);
    world.start();
    world.running.value = 'a';
    document.edit('xy');
    vi.advanceTimersByTime(100);
    world.documents.take(source('x'));
    world.running.value = null;
    vi.advanceTimersByTime(100);
    expect(world.asked()).toEqual(['textDocument/didChange']);
  });

  it('sends only its opening if live updates are off', () => {
    const world = new Adversary();
    world.documents.load([source('x')]);
    const document = world.documents.follow('a', 'x', false);
    world.start();
    document.edit('y');
    vi.advanceTimersByTime(5000);
    expect(world.hand.asked('textDocument/didChange')).toEqual([]);
    expect(document.phase.value).toBe('stale');
  });

  it('is stale after losing to another client and does not resend', async () => {
    const world = new Adversary();
    world.documents.load([source('x')]);
    const document = world.documents.follow('a', 'x', true);
    world.start();
    world.answer(false, true);
    document.edit('mine');
    await vi.advanceTimersByTimeAsync(100);
    world.answer(false, true);
    await vi.advanceTimersByTimeAsync(100);
    expect(document.phase.value).toBe('live');
    world.documents.take(source('theirs'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(document.phase.value).toBe('stale');
    expect(world.asked()).toEqual([]);
    document.edit('mine again');
    await vi.advanceTimersByTimeAsync(100);
    world.answer(false, true);
    expect(document.phase.value).toBe('live');
  });

  it('sends a lost edit again without another edit', async () => {
    const world = new Adversary();
    world.documents.load([source('x')]);
    const document = world.documents.follow('a', 'x', true);
    world.start();
    world.answer(false, true);
    document.edit('xy');
    for (let i = 0; i < 3; i++) {
      await vi.advanceTimersByTimeAsync(2100);
      expect(world.asked()).toEqual(['textDocument/didChange']);
      world.lose();
    }
    await vi.advanceTimersByTimeAsync(2100);
    world.answer(false, true);
    await vi.advanceTimersByTimeAsync(100);
    expect(document.phase.value).toBe('live');
  });

  it('recovers from losses, delays and restarts without another edit', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('edit' as const), text: fc.string({ maxLength: 4 }) }),
      fc.record({
        kind: fc.constant('answer' as const),
        newest: fc.boolean(),
        push: fc.boolean()
      }),
      fc.record({ kind: fc.constant('lose' as const) }),
      fc.record({ kind: fc.constant('restart' as const) }),
      fc.record({ kind: fc.constant('run' as const), cell: fc.constantFrom('a', 'b', null) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) })
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        const world = new Adversary();
        world.resync();
        const document = world.documents.follow('a', '', true);
        world.start();
        for (const now of steps) {
          if (now.kind === 'edit') {
            document.edit(now.text);
          } else if (now.kind === 'answer') {
            world.answer(now.newest, now.push);
          } else if (now.kind === 'lose') {
            world.lose();
          } else if (now.kind === 'restart') {
            world.start();
          } else if (now.kind === 'run') {
            world.running.value = now.cell;
          }
          await vi.advanceTimersByTimeAsync(now.kind === 'wait' ? now.ms : 0);
        }
        world.running.value = null;
        for (let i = 0; i < 8; i++) {
          await vi.advanceTimersByTimeAsync(2100);
          world.answer(true, true);
        }
        await vi.advanceTimersByTimeAsync(100);
        expect(document.phase.value).toBe('live');
        world.documents.leave('a');
        world.backend.value = null;
      }),
      { numRuns: 500 }
    );
  }, 60_000);

  it('is never current with another text, and ends current, whatever the kernel does', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('edit' as const), text: fc.string({ maxLength: 4 }) }),
      fc.record({
        kind: fc.constant('answer' as const),
        newest: fc.boolean(),
        push: fc.boolean()
      }),
      fc.record({ kind: fc.constant('lose' as const) }),
      fc.record({ kind: fc.constant('restart' as const) }),
      fc.record({ kind: fc.constant('other' as const), text: fc.string({ maxLength: 4 }) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(40) })
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        const world = new Adversary();
        world.resync();
        const document = world.documents.follow('a', '', true);
        world.start();
        let version = -1;
        for (const now of steps) {
          if (now.kind === 'edit') {
            document.edit(now.text);
          } else if (now.kind === 'answer') {
            world.answer(now.newest, now.push);
          } else if (now.kind === 'lose') {
            world.lose();
          } else if (now.kind === 'restart') {
            world.start();
            version = -1;
          } else if (now.kind === 'other') {
            world.shown = now.text;
            world.resync();
          }
          await vi.advanceTimersByTimeAsync(now.kind === 'wait' ? now.ms : 0);
          const same = document.source.value?.text === document.text.value;
          expect(document.current.value).toBe(same);
          expect(['live', 'off'].includes(document.phase.value)).toBe(same);
          expect(world.pending.length).toBeLessThanOrEqual(1);
          for (const { params } of world.pending) {
            const asked = (params as { version: number }).version;
            expect(asked).toBeGreaterThanOrEqual(version);
            version = asked;
          }
        }
        document.edit(`${document.text.value}!`);
        for (let i = 0; i < 8; i++) {
          await vi.advanceTimersByTimeAsync(2100);
          world.answer(true, true);
        }
        await vi.advanceTimersByTimeAsync(100);
        expect(document.phase.value).toBe('live');
        world.documents.leave('a');
        await vi.advanceTimersByTimeAsync(5000);
        expect(world.asked()).toEqual(['textDocument/didClose']);
        world.backend.value = null;
      }),
      { numRuns: 1000 }
    );
  }, 60_000);
});
