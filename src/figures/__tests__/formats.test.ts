import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csv } from '../csv';
import { headFigure } from '../head';
import { matrixFigure } from '../matrix';
import { modelFigure } from '../model';
import type { Scene } from '../scene';
import { escaped, svg } from '../svg';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"/><image href="http://example.org/a.png" onload="alert(1)"/>',
  ']]><!--',
  '&lt;&#x3c;&amp;',
  "' onmouseover='alert(1)",
  '<!ENTITY x SYSTEM "file:///etc/passwd">',
  'javascript:alert(1)',
  '\u0000\u0008\uFFFE\uD800',
  '\u202E right to left',
  '=HYPERLINK("http://example.org")',
  'a line\r\nand a return\r',
  '👩‍👩‍👧 漢字 العربية'
];

const encode = () => 'data:image/png;base64,AAAA';
const measure = (text: string) => 7 * text.length;

function head(tokens: string[]): Scene {
  const lines = tokens.map((_, i) => ({ query: i, key: 0, weight: 0.5 }));
  const heads = [{ name: 'head 0', color: '#1976d2', lines }];
  return headFigure({
    title: tokens.join(' '),
    queries: tokens,
    keys: tokens,
    heads,
    width: 640,
    measure
  });
}

/** What stands between the tags, read back as an XML parser would. */
function textsOf(document: string): string[] {
  const unescape = (text: string) =>
    text
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&quot;/g, '"')
      .replace(/&#39;/g, "'")
      .replace(/\r\n?/g, '\n')
      .replace(/&#13;/g, '\r')
      .replace(/&amp;/g, '&');
  return [...document.matchAll(/<text [^<>]*>([^<>]*)<\/text>/g)].map(([, text]) =>
    unescape(text ?? '')
  );
}

describe('SVG', () => {
  test('shows hostile tokens verbatim and has only drawing elements', () => {
    const document = svg(head(HOSTILE), encode);
    const names = new Set(
      [...document.matchAll(/<\/?([a-zA-Z!?][^\s/>]*)/g)].map(([, name]) => name)
    );
    expect([...names].sort()).toEqual(['path', 'rect', 'svg', 'text', 'title']);
    const legible = HOSTILE.map(text => text.replace(/[\u0000\u0008\uFFFE\uD800]/g, '\uFFFD'));
    expect(textsOf(document)).toEqual(expect.arrayContaining(legible));
  });

  test('of any text keeps every character that XML can hold, and opens no tag', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        const written = escaped(text);
        expect(written).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39|#13);)/);
        expect(textsOf(`<text x="0">${written}</text>`)).toEqual([
          text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
        ]);
      })
    );
  });

  test('draws a curve for each weight, stronger for a heavier one', () => {
    const heads = [
      {
        name: 'head 3',
        color: '#123456',
        lines: [
          { query: 0, key: 1, weight: 0.2 },
          { query: 1, key: 1, weight: 0.9 }
        ]
      }
    ];
    const tokens = ['a', 'b'];
    const curves = headFigure({
      title: '',
      queries: tokens,
      keys: tokens,
      heads,
      width: 400,
      measure
    }).marks.flatMap(mark => (mark.kind === 'curve' ? mark : []));
    expect(curves.map(({ color }) => color)).toEqual(['#123456', '#123456']);
    expect(curves[1]?.opacity).toBeGreaterThan(curves[0]?.opacity ?? 1);
    expect(curves[0]?.from[1]).toBeLessThan(curves[1]?.from[1] ?? 0);
  });
});

test('a matrix has the color of every weight, and says where one is not a number', () => {
  const ramp = Uint32Array.from({ length: 256 }, (_, i) => i);
  const weights = [0, 1, 0.5, NaN];
  const scene = matrixFigure({
    title: 'layer 0, head 0',
    queries: ['a', 'b'],
    keys: ['c', 'd'],
    at: (query, key) => weights[2 * query + key] ?? NaN,
    ramp,
    width: 400,
    measure
  });
  const raster = scene.marks.find(mark => mark.kind === 'raster')?.raster;
  expect([...(raster?.words ?? [])]).toEqual([0, 255, 128, 0xffb0b0b0]);
  expect(scene.marks.filter(mark => mark.kind === 'text').map(({ text }) => text)).toEqual([
    'layer 0, head 0',
    'a',
    'b',
    'c',
    'd'
  ]);
});

const RAMP = Uint32Array.from({ length: 256 }, (_, i) => 1000 + i);
const model = {
  title: 'Model',
  rows: [
    { label: '0', heads: [0, 1].map(i => ({ ...thumb(i), site: 0, layer: 0 })) },
    { label: '1', heads: [] },
    { label: '2', heads: [{ ...thumb(2), site: 1, layer: 2 }] }
  ],
  atlas: { shape: [3, 2, 2], data: Uint8Array.from({ length: 3 * 4 }, (_, i) => 20 * i) },
  mode: 'matrix' as const,
  rampOf: () => RAMP,
  regionOf: () => null,
  accent: '#123456',
  width: 400
};

function thumb(thumbnail: number) {
  return { name: String(thumbnail), thumbnail, bar: null };
}

function rasters(figure: Parameters<typeof modelFigure>[0]): number[][] {
  return modelFigure(figure).marks.flatMap(mark =>
    mark.kind === 'raster' ? [[...mark.raster.words]] : []
  );
}

describe('a model’s figure', () => {
  test('has a thumbnail for every head, and none for a layer without attention', () => {
    expect(rasters(model).flat()).toEqual([...model.atlas.data].map(value => 1000 + value));
  });

  test('has the colors of layers that the view has', () => {
    const rampOf = (layer: number) => RAMP.map(word => word + 1000 * layer);
    expect(rasters({ ...model, rampOf })[2]).toEqual([3160, 3180, 3200, 3220]);
  });

  test('leaves pixels transparent that the sentence filter hides', () => {
    const half = { rows: [0, 0.5] as const, columns: [0.5, 1] as const };
    const regionOf = (site: number) => (site === 1 ? half : null);
    expect(rasters({ ...model, regionOf }).slice(1)).toEqual([
      [1080, 1100, 1120, 1140],
      [0, 1180, 0, 0]
    ]);
  });

  test('has lines if the view has lines, sharp enough for print', () => {
    const [first] = rasters({ ...model, mode: 'lines' });
    expect(first?.length).toBeGreaterThan(400 ** 2);
    expect(new Set(first).size).toBeGreaterThan(2);
  });

  test('has score bars', () => {
    const rows = [{ label: '0', heads: [{ ...thumb(0), site: 0, layer: 0, bar: 0.5 }] }];
    const boxes = modelFigure({ ...model, rows }).marks.filter(mark => mark.kind === 'box');
    const [frame, bar] = boxes;
    expect(boxes.length).toBe(2);
    expect(bar?.fill).toBe('#123456');
    expect(bar?.width).toBe((frame?.width ?? 0) / 2);
  });
});

test('CSV is read back unchanged, and no token is run as a formula', () => {
  const quoted = csv([
    ['token', 'weight'],
    ['a,"b"\n', 0.25],
    ['=1+1', 1e-9],
    ['\n＝1', 0],
    ['＝1', 0],
    [' ', NaN]
  ]);
  expect(quoted).toBe(
    'token,weight\r\n"a,""b""\n",0.25\r\n\'=1+1,1e-9\r\n"\'\n＝1",0\r\n\'＝1,0\r\n" ",NaN\r\n'
  );
});
