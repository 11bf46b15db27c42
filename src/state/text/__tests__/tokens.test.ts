import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Token } from '../../../protocol/messages';
import { token } from '../../__tests__/kernel';
import { moved } from '../tokens';

/** One token a word; the same word has the same id wherever it stands. */
function words(text: string): Token[] {
  const idOf = (word: string) =>
    Array.from(word).reduce((sum, c) => sum * 131 + c.charCodeAt(0), 7);
  return text.split(' ').map(word => token(idOf(word), word));
}

/** The text after an edit with the word in brackets that was in brackets before it. */
function followed(before: string, after: string): string {
  const index = before.split(' ').findIndex(word => word.startsWith('['));
  const now = words(after);
  const at = moved(index, words(before.replace(/[[\]]/g, '')), now);
  return now.map(({ text }, i) => (i === at ? `[${text}]` : text)).join(' ');
}

describe('the selected word', () => {
  test.each([
    ['text is inserted before it', 'the [fox] runs', 'the red [fox] runs'],
    ['text is inserted behind it', 'the [fox] runs', 'the [fox] often runs'],
    ['text is deleted before it', 'the red [fox] runs', 'the [fox] runs'],
    ['text is inserted on both sides of it', 'the [fox] runs', 'see the red [fox] that runs far'],
    ['the words beside it are replaced', 'a [fox] ran', 'one old [fox] sleeps now'],
    ['it is spelled otherwise', 'the [fox] runs', 'the [foxes] runs'],
    ['it is one of several alike', 'a b a [b] c', 'a b x a [b] c'],
    ['the ones alike before it are deleted', 'a b [a] b', '[a] b'],
    ['those alike around it move too', 'x the dog y the [cat] z', 'the [cat] w the dog'],
    ['two sentences are swapped', 'it rains . the [dog] sleeps .', 'the [dog] sleeps . it rains .'],
    ['the alike have other neighbours', 'p the dog the [end] q', 'r the [end] s the dog t']
  ])('stays selected where %s', (_, before, after) => {
    expect(followed(before, after.replace(/[[\]]/g, ''))).toBe(after);
  });

  test('that occurs twice is found by the words around it', () => {
    expect(followed('m [the] dog n the cat o', 'u the cat v the dog w')).toBe(
      'u the cat v [the] dog w'
    );
  });

  test('moves to its replacement, never to a word behind it', () => {
    expect(followed('see one two [three] end', 'see four end')).toBe('see [four] end');
  });

  test('moves to the next word when it is deleted, and from the last to the previous one', () => {
    expect(followed('a [b] c', 'a c')).toBe('a [c]');
    expect(followed('a [b]', 'a')).toBe('[a]');
  });

  test('keeps its place in a text that is replaced wholly', () => {
    expect(followed('a [b] c', 'x y z')).toBe('x [y] z');
  });
});

test('several selected words are tracked separately', () => {
  const [before, after] = [words('a fox saw one hen'), words('today a red fox saw the hen run')];
  const at = [1, 2, 4].map(index => after[moved(index, before, after)]?.text);
  expect(at).toEqual(['fox', 'saw', 'hen']);
});

test('a token far from an edit keeps its word, however often that word occurs', () => {
  const some = fc.array(fc.nat(3), { maxLength: 8 });
  fc.assert(
    fc.property(some, some, some, some, (head, from, to, tail) => {
      const before = [...head, ...from, ...tail].map(id => token(id));
      const after = [...head, ...to, ...tail].map(id => token(id));
      const far = before.filter((_, i) => i < head.length || i >= head.length + from.length);
      far.forEach(one => {
        const index = before.indexOf(one);
        expect(after[moved(index, before, after)]?.id).toBe(one.id);
      });
    }),
    { numRuns: 2000 }
  );
});

test('a word that occurs once before and after two edits stays selected', () => {
  const some = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 6 });
  fc.assert(
    fc.property(some, some, some, some, (left, right, newLeft, newRight) => {
      const before = [...left, 0, ...right].map(id => token(id));
      const after = [...newLeft, 0, ...newRight].map(id => token(id));
      expect(moved(left.length, before, after)).toBe(newLeft.length);
    })
  );
});
