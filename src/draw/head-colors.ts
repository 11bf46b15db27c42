type Vector = readonly [number, number, number];

/** Lightness levels; each color has a contrast of at least 3:1 with the background. */
const LIGHTNESS = { light: [0.36, 0.47, 0.57, 0.65], dark: [0.6, 0.7, 0.8, 0.9] };

const HUES = 24;
const CHROMA = 0.16;

/** Hue of the first color: the blue of the panel's accent. */
const FIRST = 255;

/**
 * Colors for heads 0, 1, 2, …
 *
 * Each is as different as possible from all before it, with normal vision, protanopia and
 * deuteranopia. The color of a head does not depend on the number of heads.
 */
export function headColors(count: number, dark: boolean): string[] {
  const all = LIGHTNESS[dark ? 'dark' : 'light'].flatMap(lightness =>
    Array.from({ length: HUES }, (_, i) => colorAt(lightness, FIRST + (i * 360) / HUES))
  );
  const seen = all.map(perceived);
  const nearest = all.map(() => Infinity);
  const chosen: string[] = [];
  let next = HUES;
  while (chosen.length < Math.min(count, all.length)) {
    chosen.push(css(all[next] ?? [0, 0, 0]));
    const chosenColor = seen[next];
    nearest[next] = -1;
    seen.forEach((other, i) => {
      nearest[i] = Math.min(nearest[i] ?? 0, chosenColor ? apart(chosenColor, other) : Infinity);
    });
    next = nearest.indexOf(Math.max(...nearest));
  }
  return chosen;
}

/** The color in Oklab for normal vision, protanopia and deuteranopia. */
export function perceived(linear: Vector): Vector[] {
  return [linear, ...BLIND.map(matrix => times(matrix, linear))].map(oklab);
}

/** Smallest distance of two colors in any of these kinds of vision; 1 from black to white. */
export function apart(a: readonly Vector[], b: readonly Vector[]): number {
  return Math.min(
    ...a.map((sight, i) => Math.hypot(...sight.map((part, j) => part - (b[i]?.[j] ?? 0))))
  );
}

/** Protanopia and deuteranopia: Machado, Oliveira and Fernandes 2009, severity 1. */
const BLIND: readonly (readonly Vector[])[] = [
  [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998]
  ],
  [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881]
  ]
];

/** Björn Ottosson's Oklab, from linear sRGB and back: https://bottosson.github.io/posts/oklab. */
const TO_CONES: readonly Vector[] = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005]
];
const TO_LAB: readonly Vector[] = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766]
];
const FROM_LAB: readonly Vector[] = [
  [1, 0.3963377774, 0.2158037573],
  [1, -0.1055613458, -0.0638541728],
  [1, -0.0894841775, -1.291485548]
];
const FROM_CONES: readonly Vector[] = [
  [4.0767416621, -3.3077115913, 0.2309699292],
  [-1.2684380046, 2.6097574011, -0.3413193965],
  [-0.0041960863, -0.7034186147, 1.707614701]
];

function oklab(linear: Vector): Vector {
  return times(TO_LAB, map(times(TO_CONES, linear), Math.cbrt));
}

/** A color in linear sRGB with the largest chroma in gamut. */
function colorAt(lightness: number, hue: number): Vector {
  const turn = (hue * Math.PI) / 180;
  for (let chroma = CHROMA; chroma > 0; chroma -= 0.01) {
    const lab = [lightness, chroma * Math.cos(turn), chroma * Math.sin(turn)] as const;
    const linear = times(
      FROM_CONES,
      map(times(FROM_LAB, lab), cone => cone ** 3)
    );
    if (linear.every(part => part >= 0 && part <= 1)) {
      return linear;
    }
  }
  return map([1, 1, 1], () => lightness ** 3);
}

function css(linear: Vector): string {
  const bytes = map(linear, part =>
    Math.round(255 * (part <= 0.0031308 ? part * 12.92 : 1.055 * part ** (1 / 2.4) - 0.055))
  );
  return `rgb(${bytes.join(', ')})`;
}

function times(matrix: readonly Vector[], [x, y, z]: Vector): Vector {
  const row = (i: number): number => {
    const [a, b, c] = matrix[i] ?? [0, 0, 0];
    return a * x + b * y + c * z;
  };
  return [row(0), row(1), row(2)];
}

function map([x, y, z]: Vector, change: (part: number) => number): Vector {
  return [change(x), change(y), change(z)];
}
