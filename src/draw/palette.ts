import { headColors } from './head-colors';

/** The theme's colors for canvases. */
export interface Palette {
  /** Color of a weight of i/255, as a little-endian RGBA word; lightness is monotonic. */
  ramp: Uint32Array;
  /** Colors of signed numbers as RGBA words: -1 at 0, zero at 255, 1 at 510. */
  signed: Uint32Array;
  /** CSS colors of heads that are drawn together. */
  heads: readonly string[];
  /** CSS colors of lines, and of hovered and selected items. */
  accent: string;
  mark: string;
}

type Rgb = readonly [number, number, number];

/**
 * Below 1, so that small weights, which are most of them, are visible.
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
    heads: headColors(64, isDark(rgb(read('background', '#fff')))),
    accent: read('accent', '#1976d2'),
    mark: read('mark', '#c2410c')
  };
  probe.remove();
  return palette;
}

/** Whether a background is dark enough for light colors. */
function isDark([r, g, b]: Rgb): boolean {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
}

/** Interpolates a table of RGBA words between evenly spaced colors. */
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

/** Parses any CSS color; only a canvas knows every syntax. */
function rgb(color: string): Rgb {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) {
    return [128, 128, 128];
  }
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}

/** Colors of heads that are drawn together; a single head has the accent color. */
export function colorsOfHeads(heads: readonly number[], { accent, heads: all }: Palette): string[] {
  return heads.length < 2 ? [accent] : heads.map(head => all[head % all.length] ?? accent);
}
