import { ramp } from '../draw/palette';
import { TextRuler } from '../draw/text-ruler';
import { SIZE } from './scene';

/** Colors of figures: those of the light theme on white, whatever the theme of the screen. */
export const PRINT_COLORS = {
  ramp: ramp([
    [255, 255, 255],
    [106, 155, 209],
    [12, 46, 102]
  ]),
  /** -1 at 0, zero at 255, 1 at 510. */
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

let ruler: TextRuler | undefined;

/** Width of a text in a figure, in CSS pixels. */
export function textWidth(text: string): number {
  ruler ??= new TextRuler(`${SIZE}px ui-sans-serif, system-ui, sans-serif`);
  return ruler.width(text);
}
