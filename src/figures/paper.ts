import { ramp } from '../draw/palette';
import { Ruler } from '../draw/ruler';
import { SIZE } from './scene';

/** Colours of figures: those of the light theme, on white, whatever theme the screen has. */
export const PAPER = {
  ramp: ramp([
    [255, 255, 255],
    [106, 155, 209],
    [12, 46, 102]
  ]),
  /** From -1 at 0 over zero at 255 to 1 at 510. */
  signed: ramp(
    [
      [224, 108, 0],
      [255, 255, 255],
      [21, 101, 192]
    ],
    511,
    1
  ),
  accent: '#1565c0'
};

let ruler: Ruler | undefined;

/** Width of a text of a figure, in CSS pixels. */
export function measure(text: string): number {
  ruler ??= new Ruler(`${SIZE}px ui-sans-serif, system-ui, sans-serif`);
  return ruler.width(text);
}
