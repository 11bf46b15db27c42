/** Measures text in a font; equal texts are measured once. */
export class TextRuler {
  private readonly widths = new Map<string, number>();
  private readonly context: CanvasRenderingContext2D | null;

  /** @param font - A CSS font, e.g. `13px monospace`. */
  constructor(readonly font: string) {
    this.context = document.createElement('canvas').getContext('2d');
    if (this.context) {
      this.context.font = font;
    }
  }

  /** Width of `text` in CSS pixels. */
  width(text: string): number {
    let width = this.widths.get(text);
    if (width === undefined) {
      width = this.context?.measureText(text).width ?? text.length * 8;
      this.widths.set(text, width);
    }
    return width;
  }
}

/** The CSS font of an element's text. */
export function fontOf(element: Element): string {
  const { fontStyle, fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  return `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
}
