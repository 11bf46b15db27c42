import type { ReadonlySignal } from '@preact/signals';
import type { Viewport } from '../../../draw/tiles';
import type { Axis } from '../../../state/heads/axis';
import { tokenText } from '../../parts/token-text';
import { useEnv } from '../../parts/env';

/** Height of a label in pixels: with lower rows, not every row has a label. */
export const LABEL = 11;

/** Minimum distance between labels if not every row has one, in pixels. */
const SPARSE = 15;

interface MatrixAxisProps {
  side: 'query' | 'key';
  axis: Axis;
  viewport: ReadonlySignal<Viewport>;
}

/** The visible tokens along one side of the matrix. */
export function MatrixAxis({ side, axis, viewport }: MatrixAxisProps) {
  const { selection } = useEnv().state;
  const { cell, x, y, width, height } = viewport.value;
  const [from, room] = side === 'query' ? [y, height] : [x, width];
  const entry = (token: number | null | undefined): number =>
    token === null || token === undefined ? -1 : (axis.entryOf[token] ?? -1);
  const selected = entry(selection[side].value);
  const current = entry(selection[side === 'query' ? 'shownQuery' : 'shownKey'].value);
  const every = stepOf(cell);
  const last = Math.min(axis.entries.length - 1, Math.ceil((from + room) / cell));
  const first = Math.max(0, Math.floor(from / cell / every) * every);
  const indices: number[] = [];
  for (let index = first; index <= last; index += every) {
    indices.push(index);
  }
  const visible = (index: number): boolean =>
    index >= 0 && (index + 1) * cell > from && index * cell < from + room;
  // The current and the selected token always have labels, which replace those of neighbors.
  const special = [...new Set([current, selected])].filter(visible);
  const labelled = [
    ...indices.filter(
      index => special.includes(index) || !special.some(at => Math.abs(at - index) * cell < LABEL)
    ),
    ...special.filter(index => !indices.includes(index))
  ];
  return (
    <div class={`attnlab-matrix-axis attnlab-matrix-${side}`} aria-hidden="true">
      {labelled.map(index => {
        const { token, start } = axis.entries[index] ?? {};
        const middle = (index + 0.5) * cell - from;
        // Keeps the labels of the first and the last row inside the axis.
        const within = Math.max(LABEL / 2, Math.min(middle, room - LABEL / 2));
        const at = middle >= 0 && middle <= room ? within : middle;
        return (
          token && (
            <span
              key={index}
              data-testid={`attnlab-matrix-${side}`}
              data-index={start}
              data-special={token.special || undefined}
              data-padding={token.padding || undefined}
              data-stale={token.stale}
              data-part={token.part || undefined}
              data-mark={
                index === current ? 'current' : index === selected ? 'selected' : undefined
              }
              style={side === 'query' ? { top: `${at}px` } : { left: `${at}px` }}
            >
              <bdi>{tokenText(token)}</bdi>
            </span>
          )
        );
      })}
    </div>
  );
}

/** The number of tokens per label at this zoom: 1, 2, 5, 10, … */
export function stepOf(cell: number): number {
  if (cell >= LABEL) {
    return 1;
  }
  for (let power = 1; ; power *= 10) {
    for (const step of [2, 5, 10]) {
      if (step * power * cell >= SPARSE) {
        return step * power;
      }
    }
  }
}
