import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { HoverResult, Source } from '../../../protocol/messages';
import { HandBackend, settled, state, trace } from '../../../state/__tests__/kernel';
import { CellDocument } from '../../../state/kernel/cell-document';
import { KernelSession } from '../../../state/kernel/kernel-session';
import * as messages from '../../../state/kernel/user-messages';
import { PanelState } from '../../../state/panel/panel';
import { HOVER_TIMEOUT } from '../../../state/timing';
import type { EditorCell } from '../../notebook/editor-cell';
import { wordAttention } from '../word-attention';

const TEXT = 'text = "one two"';
const TWO = TEXT.indexOf('two');
const RESULT: HoverResult = { tokens: [{ index: 2, received: ['1'] }], strongest: [] };

function source(text = TEXT, cell = 'a'): Source {
  return { cell, execution: 1, text, origins: [], diagnostics: [], outdated: false };
}

describe('the tokens of a word in the editor', () => {
  let session: KernelSession;
  let panel: PanelState;
  let backend: HandBackend;
  let document: CellDocument;
  let place: EditorCell;

  beforeEach(() => {
    vi.useFakeTimers();
    session = new KernelSession(CellDocument);
    panel = new PanelState('panel', session);
    backend = new HandBackend();
    document = session.documents.follow('a', TEXT, true);
    place = {
      cell: 'a',
      session: {
        get backend() {
          return session.backend.peek();
        },
        active: panel,
        documents: session.documents
      }
    } as unknown as EditorCell;
  });

  afterEach(() => {
    panel.dispose();
    session.dispose();
    vi.useRealTimers();
  });

  const attach = (sources: Source[] = [source()]) =>
    session.attach(backend, state(1, { traces: [trace('t1')], sources }));

  test('are requested for the word around the caret', async () => {
    attach();
    const asked = wordAttention(place, document, TWO + 1);
    await settled();
    const [request] = backend.asked('textDocument/hover');
    expect(request?.params).toMatchObject({ trace: 't1', span: { start: TWO, end: TWO + 3 } });
    request?.answer(RESULT);
    expect(await asked).toMatchObject({ word: { start: TWO, end: TWO + 3 }, result: RESULT });
  });

  test('are awaited while an edited text is computed', async () => {
    attach();
    document.edit(`${TEXT} `);
    await vi.advanceTimersByTimeAsync(20);
    expect(document.phase.value).toBe('computing');
    const asked = wordAttention(place, document, TWO);
    await settled();
    expect(backend.asked('textDocument/hover')).toEqual([]);
    backend.push(2, { source: source(`${TEXT} `) });
    await settled();
    backend.asked('textDocument/hover')[0]?.answer(RESULT);
    expect(await asked).toMatchObject({ result: RESULT });
  });

  test('are not awaited for ever', async () => {
    const late = vi.spyOn(AbortSignal, 'timeout').mockImplementation(milliseconds => {
      const until = new AbortController();
      setTimeout(() => until.abort(), milliseconds);
      return until.signal;
    });
    attach();
    document.edit(`${TEXT} `);
    await vi.advanceTimersByTimeAsync(20);
    const asked = wordAttention(place, document, TWO);
    await vi.advanceTimersByTimeAsync(1000);
    expect(document.phase.value).toBe('computing');
    await vi.advanceTimersByTimeAsync(HOVER_TIMEOUT);
    expect(late).toHaveBeenCalledWith(HOVER_TIMEOUT);
    // By then the kernel counts as busy.
    expect(await asked).toEqual({ message: messages.VIEWS_WAIT });
  });

  test('do not exist before the cell has run', async () => {
    attach([]);
    expect(await wordAttention(place, document, TWO)).toEqual({ message: messages.NOT_RUN });
  });

  test('do not exist for an older text', async () => {
    document.setLive(false);
    attach([source('another text')]);
    expect(await wordAttention(place, document, TWO)).toEqual({ message: messages.VIEWS_STALE });
  });

  test('do not exist while the panel shows another cell', async () => {
    attach([source(), source(TEXT, 'b')]);
    backend.push(2, { trace: trace('t2', { cell: 'b' }), source: source(TEXT, 'b') });
    expect(await wordAttention(place, document, TWO)).toEqual({ message: messages.SHOWS_ANOTHER });
  });

  test('do not exist where the text is not passed to the model', async () => {
    attach();
    const asked = wordAttention(place, document, 0);
    await settled();
    backend.asked('textDocument/hover')[0]?.answer({ tokens: [], strongest: [] });
    expect(await asked).toEqual({ message: messages.NO_TOKENS });
  });

  test('may be refused by the kernel', async () => {
    attach();
    const asked = wordAttention(place, document, TWO);
    await settled();
    backend.asked('textDocument/hover')[0]?.refuse('trace gone');
    expect(await asked).toEqual({ message: messages.TOKENS_FAILED, values: ['trace gone'] });
  });
});
