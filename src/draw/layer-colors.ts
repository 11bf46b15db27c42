import { ramp, type Palette } from './palette';

type Rgb = readonly [number, number, number];

/** The colors of Okabe and Ito, distinct with color blindness; adjacent ones differ most. */
const HUES: readonly Rgb[] = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [230, 159, 0]
];

/** Share of the palette's strongest color in that of a hue, for contrast with the background. */
const LEAN = 0.45;

/** Returns a color ramp for each layer; hues repeat, because layers also have numbers. */
export function layerRamps({
  ramp: neutral
}: Pick<Palette, 'ramp'>): (layer: number) => Uint32Array {
  const [background, strongest] = [bytes(neutral[0] ?? 0), bytes(neutral[255] ?? 0)];
  const ramps = HUES.map(hue => {
    const full = hue.map((byte, i) => byte + ((strongest[i] ?? 0) - byte) * LEAN);
    return ramp([background, hue, full as unknown as Rgb]);
  });
  return layer => ramps[layer % ramps.length] ?? neutral;
}

function bytes(word: number): Rgb {
  return [word & 255, (word >> 8) & 255, (word >> 16) & 255];
}
