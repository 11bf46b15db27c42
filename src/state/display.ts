import { signal } from '@preact/signals-core';

/** How a panel draws, beside what is selected; kept over a reload. */
export interface SavedDisplay {
  /** Parts of the panel that are folded to their title. */
  folded: Part[];
  /** Thumbnails as matrices, or as lines as BertViz draws them. */
  thumbnails: 'matrix' | 'lines';
  /** What the rows of the model view are in order of: layers, or a head score by its name. */
  sort: string;
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

export const DEFAULTS: SavedDisplay = {
  folded: [],
  thumbnails: 'matrix',
  sort: 'layer',
  colour: 'weights',
  zoom: 1,
  head: 'lines',
  mass: 1,
  hideSpecial: false,
  words: false,
  neurons: 'model'
};

/** The choices of one panel; each is a signal that views read and set. */
export class Display {
  readonly folded = signal(DEFAULTS.folded);
  readonly thumbnails = signal(DEFAULTS.thumbnails);
  readonly sort = signal(DEFAULTS.sort);
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
    return {
      folded: this.folded.value,
      thumbnails: this.thumbnails.value,
      sort: this.sort.value,
      colour: this.colour.value,
      zoom: this.zoom.value,
      head: this.head.value,
      mass: this.mass.value,
      hideSpecial: this.hideSpecial.value,
      words: this.words.value,
      neurons: this.neurons.value
    };
  }

  /** Takes up stored choices; what an older version did not store keeps its default. */
  restore(saved: Partial<SavedDisplay>): void {
    for (const name of Object.keys(DEFAULTS) as (keyof SavedDisplay)[]) {
      if (saved[name] !== undefined) {
        (this[name] as { value: unknown }).value = saved[name];
      }
    }
  }
}
