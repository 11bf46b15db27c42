import type { Raster, Scene } from './scene';
import { svg } from './svg';

export type Format = 'svg' | 'png' | 'pdf';

/** Pixels of a PNG per CSS pixel, sharp enough for print. */
const DENSITY = 3;

/** Minimum size of an embedded raster in pixels: some viewers blur rasters that they enlarge. */
const CRISP = 384;

/** Encodes a raster as a PNG's data URL. */
export function encoded({ columns, rows, words }: Raster): string {
  const small = canvasOf(columns, rows);
  const pixels = new Uint8ClampedArray(
    words.buffer as ArrayBuffer,
    words.byteOffset,
    words.byteLength
  );
  context(small).putImageData(new ImageData(pixels, columns, rows), 0, 0);
  const times = Math.max(1, Math.ceil(CRISP / Math.max(columns, rows)));
  const large = canvasOf(columns * times, rows * times);
  const drawn = context(large);
  drawn.imageSmoothingEnabled = false;
  drawn.drawImage(small, 0, 0, large.width, large.height);
  return large.toDataURL('image/png');
}

/** The content of a file with the figure. */
export async function fileOf(scene: Scene, format: 'svg' | 'png'): Promise<Blob> {
  const text = svg(scene, encoded);
  if (format === 'svg') {
    return new Blob([text], { type: 'image/svg+xml' });
  }
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = canvasOf(Math.ceil(scene.width * DENSITY), Math.ceil(scene.height * DENSITY));
  context(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob(blob => {
      if (blob) {
        resolve(blob);
      } else {
        reject(
          new Error(`The browser cannot create a PNG of ${canvas.width} × ${canvas.height} pixels.`)
        );
      }
    }, 'image/png');
  });
}

/**
 * Opens the browser's print dialog for the figure on a page of its size. Only the browser can
 * write a PDF with the user's fonts and with text that stays text.
 */
export function print(scene: Scene): void {
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-same-origin allow-modals');
  frame.setAttribute('aria-hidden', 'true');
  frame.style.cssText = 'position:fixed;inset:auto 100% 100% auto;border:0';
  const [width, height] = [Math.ceil(scene.width), Math.ceil(scene.height)];
  const page = `@page{size:${width}px ${height}px;margin:0}body{margin:0}svg{display:block}`;
  frame.srcdoc = `<!doctype html><meta charset="utf-8"><style>${page}</style>${svg(scene, encoded)}`;
  frame.addEventListener('load', () => {
    const frameWindow = frame.contentWindow;
    frameWindow?.addEventListener('afterprint', () => frame.remove());
    frameWindow?.focus();
    frameWindow?.print();
  });
  document.body.append(frame);
}

/** Downloads a file. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // By then the download has started.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function canvasOf(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext('2d');
  if (!found) {
    throw new Error('The browser cannot create a canvas for the figure.');
  }
  return found;
}
