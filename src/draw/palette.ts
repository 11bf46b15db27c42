import { headColours } from './head-colours';

/** The theme's colours, as canvases need them. */
export interface Palette {
  /** Colour of a weight of i/255, as a little-endian RGBA word; lightness is monotonic. */
  ramp: Uint32Array;
  /** Colour of a signed number, from -1 at 0 over zero at 255 to 1 at 510, as such words. */
  signed: Uint32Array;
  /** CSS colours of heads that are drawn together. */
  heads: readonly string[];
  /** CSS colours: curves, and what is hovered or selected. */
  accent: string;
  mark: string;
}

type Rgb = readonly [number, number, number];

/**
 * Below one, so that weak attention, which is most of it, can be told from none.
 */
const GAMMA = 0.65;

/** Reads the palette from the custom properties that `style/base.css` sets on `host`. */
export function readPalette(host: Element): Palette {
  const probe = document.createElement('span');
  probe.style.setProperty('forced-color-adjust', 'none');
  probe.hidden = true;
  host.append(probe);
  const read = (name: string, fallback: string): string => {
    probe.style.color = `var(--attnlab-${name}, ${fallback})`;
    return getComputedStyle(probe).color || fallback;
  };
  const stops = [
    read('ramp-low', '#f3f6fa'),
    read('ramp-mid', '#6a9bd1'),
    read('ramp-high', '#0c2e66')
  ];
  const signs = [read('negative', '#e06c00'), read('zero', '#eff1f4'), read('positive', '#1565c0')];
  const palette = {
    ramp: ramp(stops.map(rgb)),
    signed: ramp(signs.map(rgb), 511, 1),
    heads: headColours(64, isDark(rgb(read('paper', '#fff')))),
    accent: read('accent', '#1976d2'),
    mark: read('mark', '#c2410c')
  };
  probe.remove();
  return palette;
}

/** Whether a paper is so dark that light colours stand out from it. */
function isDark([r, g, b]: Rgb): boolean {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
}

/** A table of colours through evenly spaced stops. */
export function ramp(stops: readonly Rgb[], length = 256, gamma = GAMMA): Uint32Array {
  const table = new Uint32Array(length);
  const last = stops.length - 1;
  for (let i = 0; i < length; i++) {
    const at = (i / (length - 1)) ** gamma * last;
    const [from, to] = [stops[Math.floor(at)], stops[Math.min(last, Math.floor(at) + 1)]];
    const mix = (channel: 0 | 1 | 2): number => {
      const [a, b] = [from?.[channel] ?? 0, to?.[channel] ?? 0];
      return Math.round(a + (b - a) * (at % 1));
    };
    table[i] = ((255 << 24) | (mix(2) << 16) | (mix(1) << 8) | mix(0)) >>> 0;
  }
  return table;
}

/** Any CSS colour as bytes: the canvas is the one parser that knows every syntax. */
function rgb(colour: string): Rgb {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) {
    return [128, 128, 128];
  }
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}
