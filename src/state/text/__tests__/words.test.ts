import { describe, expect, test } from 'vitest';
import type { Token } from '../../../protocol/messages';
import { continuesWord, joinTokens, wordAt } from '../words';

/** The word at each `|` of a text. */
function wordsAt(marked: string): (string | null)[] {
  const parts = marked.split('|');
  const text = parts.join('');
  const offsets = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('').length);
  return offsets.map(offset => {
    const span = wordAt(text, offset);
    return span && text.slice(span.start, span.end);
  });
}

/**
 * Tokens of a text that is cut at `|`, with a space between words left out as a tokenizer does.
 * A piece `=x` is a further token of the character before it.
 */
function tokens(cut: string): Token[] {
  let end = 0;
  return cut.split(/(?=[| ])/).map((piece, id) => {
    const shares = piece.startsWith('|=');
    const text = piece.replace(/^[| ]=?/, '');
    const start = shares ? end - text.length : end + (piece.startsWith(' ') ? 1 : 0);
    end = start + text.length;
    return { id, text, piece: text, special: false, start, end, part: shares, padding: false };
  });
}

/** The words of tokens, each with its tokens' texts. */
function grouped(cut: string): string[] {
  const all = tokens(cut);
  const words: Token[][] = [];
  continuesWord(all).forEach((continues, i) => {
    if (continues) {
      words.at(-1)!.push(all[i]!);
    } else {
      words.push([all[i]!]);
    }
  });
  return words.map(word => joinTokens(word).text);
}

describe('the word at an offset', () => {
  test.each([
    ['English', 'The |cat s|at', ['cat', 'sat']],
    ['its end', 'The cat| sat', ['cat']],
    ['Chinese', '中国人|喜|欢喝茶', ['喜欢', '喜欢']],
    ['Japanese', '|東京都|に住んでいます', ['東京', 'に']],
    ['Thai', '|ฉันรักภา|ษาไทย', ['ฉัน', 'ภาษา']],
    ['an emoji joined of several', 'a |👩‍👩‍👧| b', ['👩‍👩‍👧', '👩‍👩‍👧']],
    ['combining marks', 'e\u0301t|e\u0301 fini', ['e\u0301te\u0301']],
    ['an apostrophe', "do|n't l|’eau", ["don't", 'l’eau']],
    ['punctuation', 'cat|, dog', [',']],
    ['code around a text', 'f("The |cat|")', ['cat', '"']],
    ['a space', 'a | b', [null]],
    ['nothing', '|', [null]]
  ])('in %s', (_, marked, words) => {
    expect(wordsAt(marked)).toEqual(words);
  });
});

describe('tokens are grouped by word', () => {
  test.each([
    ['English', 'un|lik|ely dog', ['unlikely', 'dog']],
    ['Chinese', '我|们|喜|欢|茶', ['我们', '喜欢', '茶']],
    ['Japanese', '東|京|都|に', ['東京', '都', 'に']],
    ['Thai', 'ภา|ษา|ไทย', ['ภาษา', 'ไทย']],
    ['an emoji whose bytes are several tokens', '👩‍👩‍👧|=👩‍👩‍👧 ok', ['👩‍👩‍👧', 'ok']],
    ['an emoji joined of several tokens', '👩|\u200d|👩 ok', ['👩\u200d👩', 'ok']],
    ['combining marks', 'e|\u0301|t|e|\u0301', ['e\u0301te\u0301']],
    ['apostrophes', "don|'|t l|’|eau", ["don't", 'l’eau']],
    ['punctuation', 'cat|, dog|.|.|.', ['cat', ',', 'dog', '.', '.', '.']]
  ])('in %s', (_, cut, words) => {
    expect(grouped(cut)).toEqual(words);
  });

  test('special tokens and tokens without a position are separate words', () => {
    const [first, second] = tokens('un|likely') as [Token, Token];
    expect(continuesWord([first, { ...second, special: true }])).toEqual([false, false]);
    expect(continuesWord([first, { ...second, start: -1, end: -1 }])).toEqual([false, false]);
    expect(continuesWord([])).toEqual([]);
  });
});

test.each(['我们喜欢茶', 'ฉันรักภาษาไทย', "I don't, 東京都に", '👩‍👩‍👧e\u0301t'])(
  'the editor and the views divide %s into the same words',
  text => {
    const words = new Map<number, string>();
    for (let offset = 0; offset < text.length; offset++) {
      const span = text[offset] === ' ' ? null : wordAt(text, offset);
      if (span) {
        words.set(span.start, text.slice(span.start, span.end));
      }
    }
    expect(grouped(text.replace(/(?<=\S)(?=\S)/gu, '|'))).toEqual([...words.values()]);
  }
);
