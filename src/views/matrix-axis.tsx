import type { ReadonlySignal } from '@preact/signals';
import type { Lens } from '../draw/tiles';
import type { Axis } from '../state/axis';
import { shown } from './chip';
import { useEnv } from './env';

/** Height of a label, in CSS pixels: where a row is lower, not every row has one. */
export const LABEL = 11;

/** Room that a label takes where only every so manyth row has one. */
const SPARSE = 15;

interface MatrixAxisProps {
  side: 'query' | 'key';
  axis: Axis;
  lens: ReadonlySignal<Lens>;
}

/** The tokens along one side of the matrix, as far as they are in view. */
export function MatrixAxis({ side, axis, lens }: MatrixAxisProps) {
  const { selection } = useEnv().state;
  const { cell, x, y, width, height } = lens.value;
  const [from, room] = side === 'query' ? [y, height] : [x, width];
  const entry = (token: number | null | undefined): number =>
    token === null || token === undefined ? -1 : (axis.of[token] ?? -1);
  const kept = entry(selection[side].value);
  const own = entry(selection[side === 'query' ? 'shownQuery' : 'shownKey'].value);
  const every = stepOf(cell);
  const last = Math.min(axis.entries.length - 1, Math.ceil((from + room) / cell));
  const first = Math.max(0, Math.floor(from / cell / every) * every);
  const indices: number[] = [];
  for (let index = first; index <= last; index += every) {
    indices.push(index);
  }
  const visible = (index: number): boolean =>
    index >= 0 && (index + 1) * cell > from && index * cell < from + room;
  // What is in question has its label always, and its neighbours give way to it.
  const special = [...new Set([own, kept])].filter(visible);
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
        // The first and the last are narrower than their labels, which are not to be cut.
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
              data-part={token.part || undefined}
              data-mark={index === own ? 'own' : index === kept ? 'kept' : undefined}
              style={side === 'query' ? { top: `${at}px` } : { left: `${at}px` }}
            >
              <bdi>{shown(token)}</bdi>
            </span>
          )
        );
      })}
    </div>
  );
}

/** Every so manyth token has a label at this zoom: 1, 2, 5, 10, … */
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
