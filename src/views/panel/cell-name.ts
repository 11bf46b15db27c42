import { useEnv } from '../parts/env';

/** A run of a cell: the cell's id, and the run's execution count. */
interface Run {
  cell: string;
  execution: number;
}

/** Returns a function that names a run like the prompt of its cell, e.g. `cell [2]`. */
export function useCellName(): (run: Run) => string {
  const { t, hasCell } = useEnv();
  return ({ cell, execution }) =>
    execution > 0 && hasCell(cell) ? t('cell [%1]', execution) : t('cell');
}

/** The beginning of a text on one line, with at most `most` characters. */
export function abbreviated(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ');
  const characters = Array.from(new Intl.Segmenter().segment(line), ({ segment }) => segment);
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : line;
}
