// Contrast as WCAG 2.2 defines it, of what the page shows now. Evaluates to an object of functions.
(() => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });

  /** Any CSS color as red, green, blue and opacity: a canvas knows every syntax. */
  function rgba(color) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  /** A color as the page resolves it: variables, and a system's colors, light or dark. */
  function resolved(color, inside = document.body) {
    const probe = inside.appendChild(document.createElement('i'));
    // Or a person's forced colors would take its place.
    probe.style.forcedColorAdjust = 'none';
    probe.style.color = color;
    const found = rgba(getComputedStyle(probe).color);
    probe.remove();
    return found;
  }

  /** One color over another that is opaque. */
  function over([r, g, b, a], [x, y, z]) {
    return [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
  }

  function luminance([r, g, b]) {
    const [x, y, z] = [r, g, b].map(byte => {
      const c = byte / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }

  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  /** The color of an element's background, with `ink` on it where one is given. */
  function painted(element, ink) {
    const chain = [];
    for (let at = element; at; at = at.parentElement) {
      chain.unshift(at);
    }
    const paint = (depth, below) => {
      const style = getComputedStyle(chain[depth]);
      const background = over(rgba(style.backgroundColor), below);
      const last = depth === chain.length - 1;
      const above = last
        ? ink
          ? over(rgba(ink), background)
          : background
        : paint(depth + 1, background);
      const { opacity } = style;
      return over([...above.slice(0, 3), Number(opacity)], below);
    };
    return paint(0, resolved('Canvas'));
  }

  /** How far an element's text stands out from what lies behind it. */
  function readable(element) {
    const { color, forcedColorAdjust } = getComputedStyle(element);
    if (matchMedia('(forced-colors: active)').matches && forcedColorAdjust !== 'none') {
      // The browser lays a plate behind each line of text, over any background.
      return contrast(rgba(color), resolved('Canvas'));
    }
    return contrast(painted(element, color), painted(element));
  }

  function name(element) {
    return element.className.baseVal ?? (element.className || element.localName);
  }

  function seen(element) {
    const clipped = element.closest('.attnlab-hidden, [hidden], option');
    return !clipped && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  }

  return {
    /** Text that stands out too little from its background: what, where and how much. */
    texts() {
      const found = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      let count = 0;
      while (walker.nextNode()) {
        const { data, parentElement: element } = walker.currentNode;
        if (!data.trim() || !seen(element) || element.closest('script, style, :disabled')) {
          continue;
        }
        count += 1;
        const ratio = readable(element);
        if (ratio < 4.5) {
          found.push(`${name(element)} “${data.trim().slice(0, 20)}” ${ratio.toFixed(2)}`);
        }
      }
      return { count, found: [...new Set(found)] };
    },
    /** How far a color of an element's stands out from the background behind the element. */
    of(element, property, pseudo) {
      const color = getComputedStyle(element, pseudo)[property];
      return contrast(painted(element.parentElement, color), painted(element.parentElement));
    },
    /** How far the backgrounds of two elements stand apart. */
    backgrounds(one, other) {
      return contrast(painted(one), painted(other));
    },
    /** How far two colors stand apart, as the panel has them in its custom properties. */
    between(one, other) {
      const panel = document.querySelector('.attnlab-panel');
      return contrast(resolved(one, panel), resolved(other, panel));
    }
  };
})();
