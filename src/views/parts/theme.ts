import { signal, type ReadonlySignal } from '@preact/signals';
import { readPalette, type Palette } from '../../draw/palette';

/** Attributes with which JupyterLab, VS Code and other hosts set their theme. */
const NAMES = [
  'data-jp-theme-name',
  'data-jp-theme-light',
  'data-vscode-theme-id',
  'class',
  'style'
];

/** The palette of `host`; updates when the theme, the contrast or the browser zoom changes. */
export function watchPalette(host: HTMLElement, until: AbortSignal): ReadonlySignal<Palette> {
  const palette = signal(readPalette(host));
  const again = (): void => {
    if (host.isConnected) {
      palette.value = readPalette(host);
    }
  };
  const observer = new MutationObserver(again);
  for (const element of new Set([document.documentElement, document.body, host])) {
    observer.observe(element, { attributes: true, attributeFilter: NAMES });
  }
  const options = { signal: until };
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
    matchMedia(query).addEventListener('change', again, options);
  }
  const onZoom = (): void => {
    again();
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener('change', onZoom, {
      once: true,
      ...options
    });
  };
  onZoom();
  // Stylesheets can load after the panel.
  window.addEventListener('load', again, options);
  until.addEventListener('abort', () => observer.disconnect());
  return palette;
}
