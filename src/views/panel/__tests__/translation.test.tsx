// @vitest-environment happy-dom
import { signal } from '@preact/signals';
import { render, type ComponentChild } from 'preact';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Palette } from '../../../draw/palette';
import { fillPlaceholders, missingPackages } from '../../../state/kernel/user-messages';
import { PanelState } from '../../../state/panel/panel';
import { EnvContext } from '../../parts/env';
import { EmptyState } from '../empty-state';
import { Header } from '../header';

let state: PanelState;
let host: HTMLElement;

/** Draws in a language that marks each sentence that was translated. */
function draw(view: ComponentChild): HTMLElement {
  const env = {
    state,
    palette: signal({} as Palette),
    actions: {},
    hasCell: () => true,
    t: (text: string, ...values: (string | number)[]) => fillPlaceholders(`~${text}`, values)
  };
  render(<EnvContext.Provider value={env}>{view}</EnvContext.Provider>, host);
  return host;
}

beforeEach(() => {
  state = new PanelState('p');
  host = document.createElement('div');
});

afterEach(() => {
  render(null, host);
  state.dispose();
  state.session.dispose();
});

test('a status is translated once, and then its values are filled in', () => {
  const { message, ...more } = missingPackages(['torch', 'transformers']);
  state.session.detach(message, { ...more, remedy: 'pip install torch' });
  const sentence = "~The kernel's environment is missing torch, transformers.";
  expect(draw(<EmptyState />).querySelector('h2')!.textContent).toBe(sentence);
  expect(
    draw(<Header />)
      .querySelector('[role=status]')!
      .getAttribute('title')
  ).toBe(sentence);
});

test('the label of a status is translated', () => {
  state.session.setStatus({ kind: 'starting', message: 'Starting.' });
  expect(draw(<Header />).querySelector('[role=status]')!.textContent).toBe('~starting');
});
