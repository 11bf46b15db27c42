import { SIZE, type Mark, type Raster, type Scene } from './scene';

const INK = '#1a1a1a';
const FAINT = '#6b6b6b';

/**
 * Writes a figure as SVG: tokens are text, and it contains no scripts and no references.
 *
 * @param encode - Converts a raster to the data URL of an image.
 */
export function svg(scene: Scene, encode: (raster: Raster) => string): string {
  const { width, height, title, marks } = scene;
  const size = `width="${round(width)}" height="${round(height)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${round(width)} ${round(height)}"`,
    ` font-family="ui-sans-serif, system-ui, 'Noto Sans', sans-serif" font-size="${SIZE}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...marks.map(mark => drawn(mark, encode)),
    '</svg>\n'
  ].join('');
}

function drawn(mark: Mark, encode: (raster: Raster) => string): string {
  switch (mark.kind) {
    case 'text': {
      const { x, y, text, anchor, size, bold, faint, turned } = mark;
      const attributes = [
        turned ? `transform="translate(${round(x)} ${round(y)}) rotate(-90)"` : at(x, y),
        `dominant-baseline="central" text-anchor="${anchor}" fill="${faint ? FAINT : INK}"`,
        size === undefined ? '' : `font-size="${round(size)}"`,
        bold ? 'font-weight="600"' : ''
      ];
      // Isolated, so that right-to-left text or a direction mark does not reorder its surroundings.
      return `<text ${attributes.filter(Boolean).join(' ')} xml:space="preserve" style="unicode-bidi:isolate">${escaped(text)}</text>`;
    }
    case 'curve': {
      const { from, to, color, opacity, width } = mark;
      const [x0, y0, x1, y1] = [...from, ...to].map(round);
      const [near, far] = [0.55 * from[0] + 0.45 * to[0], 0.45 * from[0] + 0.55 * to[0]];
      const path = `M${x0} ${y0}C${round(near)} ${y0} ${round(far)} ${y1} ${x1} ${y1}`;
      return `<path d="${path}" fill="none" stroke="${escaped(color)}" stroke-opacity="${round(opacity)}" stroke-width="${round(width)}"/>`;
    }
    case 'box': {
      const { x, y, width, height, fill, opacity = 1 } = mark;
      const paint = fill
        ? `fill="${escaped(fill)}" fill-opacity="${round(opacity)}"`
        : `fill="none" stroke="${FAINT}" stroke-width="0.5"`;
      return `<rect ${at(x, y)} width="${round(width)}" height="${round(height)}" ${paint}/>`;
    }
    case 'raster': {
      const { x, y, width, height, raster } = mark;
      const size = `width="${round(width)}" height="${round(height)}"`;
      return `<image ${at(x, y)} ${size} preserveAspectRatio="none" style="image-rendering:pixelated" href="${escaped(encode(raster))}"/>`;
    }
  }
}

function at(x: number, y: number): string {
  return `x="${round(x)}" y="${round(y)}"`;
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Characters that XML 1.0 forbids even when escaped, most control characters. */
const ILLEGAL = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Escapes a text for XML elements and attributes; also CR, which parsers convert to LF. */
export function escaped(text: string): string {
  return text
    .replace(ILLEGAL, '\uFFFD')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;')
    .replace(/\r/g, '&#13;');
}
