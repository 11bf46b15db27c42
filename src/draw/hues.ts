import { ramp, type Palette } from './palette';

type Rgb = readonly [number, number, number];

/** Okabe and Ito's colours, which colour-blind readers tell apart; neighbours differ most. */
const HUES: readonly Rgb[] = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [230, 159, 0]
];

/** How far a hue's strongest colour leans to the palette's own, which stands out on paper. */
const LEAN = 0.45;

/** A ramp of each layer's own hue; hues come again after some layers, whose numbers are there. */
export function layerRamps({ ramp: own }: Pick<Palette, 'ramp'>): (layer: number) => Uint32Array {
  const [paper, strongest] = [bytes(own[0] ?? 0), bytes(own[255] ?? 0)];
  const ramps = HUES.map(hue => {
    const full = hue.map((byte, i) => byte + ((strongest[i] ?? 0) - byte) * LEAN);
    return ramp([paper, hue, full as unknown as Rgb]);
  });
  return layer => ramps[layer % ramps.length] ?? own;
}

function bytes(word: number): Rgb {
  return [word & 255, (word >> 8) & 255, (word >> 16) & 255];
}
