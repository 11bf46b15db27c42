import { signal, type Signal } from '@preact/signals-core';
import { BY_LAYER, UNFILTERED, type Filter, type Order } from './ordering';
import { between, flag, listOf, number, oneOf, orNull, text, type Read } from './stored';

/** How a panel draws, beside what is selected; kept over a reload. */
export interface SavedDisplay {
  /** Parts of the panel that are folded to their title. */
  folded: Part[];
  /** Thumbnails as matrices, or as lines as BertViz draws them. */
  thumbnails: 'matrix' | 'lines';
  /** What the rows of the model view are in order of, and which way. */
  sort: Order;
  /** Which heads the model view shows. */
  filter: Filter;
  /** What the thumbnails' colour tells: the weights alone, the layer, or a head score. */
  colour: string;
  /** How large the thumbnails are; 1 for as large as the panel's width allows. */
  zoom: number;
  /** One head as lines, or as its matrix. */
  head: 'lines' | 'matrix';
  /** Share of a query's mass that is drawn, heaviest first; the rest is shown as "other". */
  mass: number;
  /** Whether special tokens are left out and the rest is renormalised. */
  hideSpecial: boolean;
  /** Whether the tokens of a word are one. */
  words: boolean;
  /** The neuron view's dimensions in the model's order, or by their contribution. */
  neurons: 'model' | 'contribution';
}

export type Part = 'model' | 'head' | 'neuron';

/** The smallest and the largest thumbnails. */
export const LEAST_ZOOM = 0.5;
export const MOST_ZOOM = 4;

export const DEFAULTS: SavedDisplay = {
  folded: [],
  thumbnails: 'matrix',
  sort: BY_LAYER,
  filter: UNFILTERED,
  colour: 'weights',
  zoom: 1,
  head: 'lines',
  mass: 1,
  hideSpecial: false,
  words: false,
  neurons: 'model'
};

const NAMES = Object.keys(DEFAULTS) as (keyof SavedDisplay)[];

/** What of a stored choice can be taken up, which may be of another version or broken. */
const READ: { [Name in keyof SavedDisplay]: Read<SavedDisplay[Name]> } = {
  folded: listOf(oneOf('model', 'head', 'neuron')),
  thumbnails: oneOf('matrix', 'lines'),
  sort: orderOf,
  filter: filterOf,
  colour: text,
  zoom: between(LEAST_ZOOM, MOST_ZOOM),
  head: oneOf('lines', 'matrix'),
  mass: between(0, 1),
  hideSpecial: flag,
  words: flag,
  neurons: oneOf('model', 'contribution')
};

/** The choices of one panel; each is a signal that views read and set. */
export class Display {
  readonly folded = signal(DEFAULTS.folded);
  readonly thumbnails = signal(DEFAULTS.thumbnails);
  readonly sort = signal(DEFAULTS.sort);
  readonly filter = signal(DEFAULTS.filter);
  readonly colour = signal(DEFAULTS.colour);
  readonly zoom = signal(DEFAULTS.zoom);
  readonly head = signal(DEFAULTS.head);
  readonly mass = signal(DEFAULTS.mass);
  readonly hideSpecial = signal(DEFAULTS.hideSpecial);
  readonly words = signal(DEFAULTS.words);
  readonly neurons = signal(DEFAULTS.neurons);

  /** Folds a part to its title, or unfolds it. */
  fold(part: Part): void {
    const others = this.folded.peek().filter(other => other !== part);
    const unfolds = others.length < this.folded.peek().length;
    this.folded.value = unfolds ? others : [...others, part];
  }

  toJSON(): SavedDisplay {
    return Object.fromEntries(NAMES.map(name => [name, this[name].value])) as never;
  }

  /** Takes up stored choices, each for itself; what is missing or broken stays as it is. */
  restore(saved: unknown): void {
    for (const name of NAMES) {
      const found = READ[name]((saved as Partial<SavedDisplay> | null | undefined)?.[name]);
      if (found !== undefined) {
        (this[name] as Signal<unknown>).value = found;
      }
    }
  }
}

/** An order as it is stored; older versions wrote `layer`, `entropy` or `entropy ascending`. */
function orderOf(stored: unknown): Order | undefined {
  if (typeof stored === 'string') {
    const [, score = '', ascending] = /^(.*?)( ascending)?$/s.exec(stored) ?? [];
    return score === 'layer' ? BY_LAYER : { score, ascending: ascending !== undefined };
  }
  const { score, ascending } = (stored ?? {}) as Partial<Order>;
  const [name, turned] = [orNull(text)(score), flag(ascending)];
  return name === undefined || turned === undefined
    ? undefined
    : { score: name, ascending: turned };
}

function filterOf(stored: unknown): Filter | undefined {
  const { layers, heads, least, most } = (stored ?? {}) as Partial<Filter>;
  return stored === undefined
    ? undefined
    : {
        layers: text(layers) ?? UNFILTERED.layers,
        heads: text(heads) ?? UNFILTERED.heads,
        least: number(least) ?? UNFILTERED.least,
        most: number(most) ?? UNFILTERED.most
      };
}
