/** The theme's colours, as canvases need them. */
export interface Palette {
  /** Colour of a weight of i/255, as a little-endian RGBA word; lightness is monotonic. */
  ramp: Uint32Array;
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
  const palette = {
    ramp: ramp(stops.map(rgb)),
    accent: read('accent', '#1976d2'),
    mark: read('mark', '#c2410c')
  };
  probe.remove();
  return palette;
}

/** A table of 256 colours through evenly spaced stops. */
export function ramp(stops: readonly Rgb[]): Uint32Array {
  const table = new Uint32Array(256);
  const last = stops.length - 1;
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) ** GAMMA * last;
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
