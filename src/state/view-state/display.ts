import { signal, type Signal } from '@preact/signals-core';
import { BY_LAYER, UNFILTERED, type HeadFilter, type HeadOrder } from './head-filter';
import {
  parseBetween,
  parseBoolean,
  parseList,
  parseNumber,
  parseOneOf,
  parseNullable,
  parseString,
  type Parse
} from './parse';

/** The display options of a panel; kept when the page is reloaded. */
export interface SavedDisplay {
  /** Parts of the panel that are collapsed to their title. */
  folded: PanelPart[];
  /** Draw thumbnails as matrices, or as lines as in BertViz. */
  thumbnails: 'matrix' | 'lines';
  /** Sort order of the model view. */
  sort: HeadOrder;
  /** Heads that the model view shows. */
  filter: HeadFilter;
  /** What thumbnails are colored by: `weights`, `layer` or the name of a head score. */
  colorBy: string;
  /** Size of the thumbnails; 1 makes a row of them as wide as the panel. */
  zoom: number;
  /** Draw the selected head as lines or as a matrix. */
  head: 'lines' | 'matrix';
  /** Share of each query's total weight that is drawn, heaviest first; the remainder is one number. */
  mass: number;
  /** Whether special tokens are hidden and the other weights renormalized. */
  hideSpecial: boolean;
  /** Whether the tokens of a word are merged. */
  words: boolean;
  /** Order of the dimensions in the neuron view: the model's, or by contribution. */
  dimensionOrder: 'model' | 'contribution';
}

export type PanelPart = 'model' | 'head' | 'neuron';

/** Range of `SavedDisplay.zoom`. */
export const MIN_ZOOM = 0.5;
export const MAX_ZOOM = 4;

export const DEFAULTS: SavedDisplay = {
  folded: [],
  thumbnails: 'matrix',
  sort: BY_LAYER,
  filter: UNFILTERED,
  colorBy: 'weights',
  zoom: 1,
  head: 'lines',
  mass: 1,
  hideSpecial: false,
  words: false,
  dimensionOrder: 'model'
};

const NAMES = Object.keys(DEFAULTS) as (keyof SavedDisplay)[];

/** Parsers of stored options, which may be from another version or corrupt. */
const READ: { [Name in keyof SavedDisplay]: Parse<SavedDisplay[Name]> } = {
  folded: parseList(parseOneOf('model', 'head', 'neuron')),
  thumbnails: parseOneOf('matrix', 'lines'),
  sort: orderOf,
  filter: filterOf,
  colorBy: parseString,
  zoom: parseBetween(MIN_ZOOM, MAX_ZOOM),
  head: parseOneOf('lines', 'matrix'),
  mass: parseBetween(0, 1),
  hideSpecial: parseBoolean,
  words: parseBoolean,
  dimensionOrder: parseOneOf('model', 'contribution')
};

/** The display options of one panel; each is a signal that views read and set. */
export class Display {
  readonly folded = signal(DEFAULTS.folded);
  readonly thumbnails = signal(DEFAULTS.thumbnails);
  readonly sort = signal(DEFAULTS.sort);
  readonly filter = signal(DEFAULTS.filter);
  readonly colorBy = signal(DEFAULTS.colorBy);
  readonly zoom = signal(DEFAULTS.zoom);
  readonly head = signal(DEFAULTS.head);
  readonly mass = signal(DEFAULTS.mass);
  readonly hideSpecial = signal(DEFAULTS.hideSpecial);
  readonly words = signal(DEFAULTS.words);
  readonly dimensionOrder = signal(DEFAULTS.dimensionOrder);

  /** Collapses a part to its title, or expands it. */
  fold(part: PanelPart): void {
    const others = this.folded.peek().filter(other => other !== part);
    const unfolds = others.length < this.folded.peek().length;
    this.folded.value = unfolds ? others : [...others, part];
  }

  toJSON(): SavedDisplay {
    return Object.fromEntries(NAMES.map(name => [name, this[name].value])) as never;
  }

  /** Restores stored options; those that are missing or invalid keep their values. */
  restore(saved: unknown): void {
    for (const name of NAMES) {
      const found = READ[name]((saved as Partial<SavedDisplay> | null | undefined)?.[name]);
      if (found !== undefined) {
        (this[name] as Signal<unknown>).value = found;
      }
    }
  }
}

/** Parses a stored order; older versions stored `layer`, `entropy` or `entropy ascending`. */
function orderOf(stored: unknown): HeadOrder | undefined {
  if (typeof stored === 'string') {
    const [, score = '', ascending] = /^(.*?)( ascending)?$/s.exec(stored) ?? [];
    return score === 'layer' ? BY_LAYER : { score, ascending: ascending !== undefined };
  }
  const { score, ascending } = (stored ?? {}) as Partial<HeadOrder>;
  const [name, turned] = [parseNullable(parseString)(score), parseBoolean(ascending)];
  return name === undefined || turned === undefined
    ? undefined
    : { score: name, ascending: turned };
}

function filterOf(stored: unknown): HeadFilter | undefined {
  const { layers, heads, least, most } = (stored ?? {}) as Partial<HeadFilter>;
  return stored === undefined
    ? undefined
    : {
        layers: parseString(layers) ?? UNFILTERED.layers,
        heads: parseString(heads) ?? UNFILTERED.heads,
        least: parseNumber(least) ?? UNFILTERED.least,
        most: parseNumber(most) ?? UNFILTERED.most
      };
}
