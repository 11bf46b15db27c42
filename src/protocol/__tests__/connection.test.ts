import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Connection } from '../connection';
import { ErrorCode } from '../messages';
import { RpcError, UnansweredError } from '../rpc-error';
import { FakeKernel } from './fake-kernel';

const HEAD = { trace: 't1', item: 0, site: 0, head: 0 };

function payload(head: number) {
  return {
    ...{ kind: 'head', dtype: 'f4', trace: 't1', item: 0, site: 0, head, shape: [1, 1], buffer: 0 }
  };
}

/** A state, as far as these tests look at it. */
function state(revision: number) {
  return { revision, running: null, traces: [], problems: [], sources: [] };
}

describe('Connection', () => {
  let kernel: FakeKernel;
  let connection: Connection;

  beforeEach(() => {
    vi.useFakeTimers();
    kernel = new FakeKernel();
    connection = new Connection(kernel, { session: 'abc', client: 'me', deadline: 1000 });
  });

  afterEach(() => {
    connection.close('test over');
    vi.useRealTimers();
  });

  it('addresses each request from its client to the kernel', () => {
    const sent: unknown[] = [];
    kernel.send = envelope => sent.push(envelope);
    connection.request('trace/head', HEAD).catch(() => undefined);
    expect(sent).toEqual([
      {
        sender: 'me',
        to: 'kernel',
        session: 'abc',
        rpc: { jsonrpc: '2.0', id: 0, method: 'trace/head', params: HEAD }
      }
    ]);
  });

  it('matches replies that arrive in reverse order', async () => {
    const first = connection.request('trace/head', { ...HEAD, head: 1 });
    const second = connection.request('trace/head', { ...HEAD, head: 2 });
    kernel.tell('me', { id: 1, result: payload(2) }, [new Float32Array([2]).buffer]);
    kernel.tell('me', { id: 0, result: payload(1) }, [new Float32Array([1]).buffer]);
    await vi.advanceTimersByTimeAsync(10);
    expect((await first).result.head).toBe(1);
    expect(new Float32Array((await first).buffers[0]!)[0]).toBe(1);
    expect(new Float32Array((await second).buffers[0]!)[0]).toBe(2);
  });

  it('sends no params where the method has none', () => {
    connection.request('state', null).catch(() => undefined);
    expect(kernel.received[0]).not.toHaveProperty('params');
  });

  it('turns an error answer into an RpcError with its code', async () => {
    const asked = connection.request('trace/head', HEAD).catch((error: unknown) => error);
    kernel.tell('me', { id: 0, error: { code: ErrorCode.TRACE_GONE, message: 'gone' } });
    await vi.advanceTimersByTimeAsync(10);
    const error = await asked;
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: ErrorCode.TRACE_GONE, message: 'gone' });
  });

  it('cancels an aborted request in the kernel and rejects immediately', async () => {
    const controller = new AbortController();
    const asked = connection.request('trace/head', HEAD, controller.signal);
    const rejected = expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    controller.abort();
    await rejected;
    expect(kernel.requests('$/cancelRequest')).toMatchObject([{ params: { id: 0 } }]);
  });

  it('sends nothing for a request that was aborted before', async () => {
    await expect(connection.request('trace/head', HEAD, AbortSignal.abort())).rejects.toThrow();
    expect(kernel.received).toEqual([]);
  });

  it('ignores a reply to an abandoned request', async () => {
    const controller = new AbortController();
    const asked = connection.request('trace/head', HEAD, controller.signal);
    controller.abort('changed');
    kernel.tell('me', { id: 0, result: payload(0) });
    await expect(asked).rejects.toBe('changed');
    expect(kernel.requests('$/cancelRequest')).toHaveLength(1);
  });

  it('accepts the first of two answers and cancels no answered request', async () => {
    const controller = new AbortController();
    const asked = connection.request('trace/head', HEAD, controller.signal);
    kernel.tell('me', { id: 0, result: payload(1) });
    kernel.tell('me', { id: 0, error: { code: ErrorCode.TRACE_GONE, message: 'gone' } });
    expect((await asked).result.head).toBe(1);
    controller.abort();
    expect(kernel.requests('$/cancelRequest')).toEqual([]);
  });

  it('rejects with the error of the transport and forgets the request', async () => {
    kernel.send = () => {
      throw new Error('the comm is closed');
    };
    const asked = connection.request('trace/head', HEAD);
    await expect(asked).rejects.toThrow('the comm is closed');
    connection.notify('selection/didChange', {} as never);
  });

  it('repeats an unanswered request once and accepts the second answer', async () => {
    const asked = connection.request('trace/head', HEAD);
    await vi.advanceTimersByTimeAsync(1001);
    expect(kernel.requests('trace/head')).toHaveLength(2);
    kernel.tell('me', { id: kernel.requests('trace/head')[1]!.id, result: payload(0) });
    await vi.advanceTimersByTimeAsync(10);
    expect((await asked).result.trace).toBe('t1');
  });

  it('gives up after the second silence', async () => {
    const asked = connection.request('trace/head', HEAD).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(3000);
    expect(await asked).toBeInstanceOf(UnansweredError);
    expect(kernel.requests('trace/head')).toHaveLength(2);
  });

  it('keeps waiting while the kernel reports progress', async () => {
    const asked = connection.request('trace/head', HEAD);
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(900);
      kernel.tell('me', {
        method: '$/progress',
        params: { id: 0, done: i, total: 5, operation: '' }
      });
    }
    expect(kernel.requests('trace/head')).toHaveLength(1);
    kernel.tell('me', { id: 0, result: payload(0) });
    await vi.advanceTimersByTimeAsync(10);
    await expect(asked).resolves.toBeDefined();
  });

  it('reports progress only to the requester', async () => {
    const reported: [string, number][] = [];
    for (const [i, who] of ['first', 'second'].entries()) {
      connection
        .request('trace/head', { ...HEAD, head: i }, undefined, ({ done }) => {
          reported.push([who, done]);
        })
        .catch(() => undefined);
    }
    kernel.tell('me', {
      method: '$/progress',
      params: { id: 1, done: 3, total: 5, operation: '' }
    });
    kernel.tell('me', {
      method: '$/progress',
      params: { id: 9, done: 4, total: 5, operation: '' }
    });
    await vi.advanceTimersByTimeAsync(10);
    expect(reported).toEqual([['second', 3]]);
  });

  it('keeps waiting while the kernel is expected to be silent', async () => {
    let busy = true;
    const patient = new Connection(kernel, {
      session: 'abc',
      client: 'patient',
      deadline: 1000,
      expectsSilence: () => busy
    });
    patient.request('trace/head', HEAD).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(kernel.requests('trace/head')).toHaveLength(1);
    busy = false;
    await vi.advanceTimersByTimeAsync(1001);
    expect(kernel.requests('trace/head')).toHaveLength(2);
    patient.close('test over');
  });

  it('delivers pushes with their buffers until the listener is removed', async () => {
    const heard: [number, number][] = [];
    const leave = connection.onPublish((params, buffers) => {
      heard.push([params.revision, buffers.length]);
    });
    const push = { revision: 3, running: null, removed: [], payloads: [] };
    kernel.tell('me', { method: 'publish', params: push }, [new ArrayBuffer(4)]);
    await vi.advanceTimersByTimeAsync(10);
    leave();
    kernel.tell('me', { method: 'publish', params: { ...push, revision: 4 } });
    await vi.advanceTimersByTimeAsync(10);
    expect(heard).toEqual([[3, 1]]);
  });

  it.each([
    ['another client', { to: 'you' }],
    ['another session', { session: 'old' }],
    ['another page', { sender: 'page' }]
  ])('ignores what is from or for %s', async (_, part) => {
    let settled = false;
    connection.request('trace/head', HEAD).then(
      () => (settled = true),
      () => undefined
    );
    const rpc = { jsonrpc: '2.0', id: 0, result: payload(0) };
    kernel.emit({ sender: 'kernel', to: 'me', session: 'abc', rpc, ...part });
    await vi.advanceTimersByTimeAsync(10);
    expect(settled).toBe(false);
  });

  it.each([null, 'text', 7, {}, { sender: 'kernel', to: 'me', session: 'abc', rpc: null }])(
    'survives the hostile message %j',
    async content => {
      kernel.emit(content);
      const asked = connection.request('state', null);
      kernel.tell('me', { id: 0, result: state(1) });
      await vi.advanceTimersByTimeAsync(10);
      expect((await asked).result.revision).toBe(1);
    }
  );

  it('rejects pending requests with the reason when it closes, and reports it once', async () => {
    const reasons: string[] = [];
    connection.onGone(why => reasons.push(why));
    const asked = connection.request('trace/head', HEAD);
    const rejected = expect(asked).rejects.toThrow('kernel restarted');
    connection.close('kernel restarted');
    connection.close('again');
    await rejected;
    expect(reasons).toEqual(['kernel restarted']);
    expect(kernel.listeners).toBe(0);
    await expect(connection.request('trace/head', HEAD)).rejects.toThrow('kernel restarted');
  });
});
