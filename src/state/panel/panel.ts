import {
  batch,
  computed,
  effect,
  signal,
  untracked,
  type ReadonlySignal,
  type Signal
} from '@preact/signals-core';
import type {
  PayloadKey,
  SelectionState,
  SiteSummary,
  SubscribeParams,
  TraceSummary
} from '../../protocol/messages';
import { Display, type SavedDisplay } from '../view-state/display';
import { Selection } from '../view-state/selection';
import { QueryBreakdown } from '../heads/query-breakdown';
import { Heads } from '../heads/heads';
import type { Weights } from '../heads/weights';
import { PENDING, type Load, type PayloadCache } from '../kernel/payload-cache';
import { THUMBNAIL, type Progress } from '../kernel/payload-key';
import { KernelSession } from '../kernel/kernel-session';
import { NO_SIDES, sidesOf, type Shown, type Sides } from '../text/tokens';
import { keepSubscribed } from './panel-subscription';
import { ShownItem, type ItemFailure } from './shown-item';
import { TraceFollower, type SavedFollower } from './trace-follower';
import { thumbnailRegions, type ThumbnailRegions } from './thumbnail-regions';
import { Trial } from './trial';

/** The state of a panel that is stored, and copied to a panel opened from it. */
export interface SavedPanel {
  selection: SelectionState;
  display: SavedDisplay;
  followed: SavedFollower;
}

/** The state of one panel: the shown trace, the selection and what its views draw. */
export class PanelState {
  readonly payloads: PayloadCache;
  readonly follower: TraceFollower;
  readonly selection = new Selection();
  readonly display = new Display();
  /** Whether the panel is visible; a hidden panel requests nothing. */
  readonly visible: Signal<boolean>;

  /** The trace on screen. */
  readonly trace: ReadonlySignal<TraceSummary | null>;
  /** The trace with the shown batch item: the selected one, as soon as its tokens arrive. */
  readonly shown: ReadonlySignal<Shown | null>;
  /** The site on screen. */
  readonly site: ReadonlySignal<SiteSummary | null>;
  /** The query and key tokens of the site. */
  readonly sides: ReadonlySignal<Sides>;
  readonly thumbnails: ReadonlySignal<Load>;
  /** The region of each thumbnail that the sentence filter selects. */
  readonly regions: ReadonlySignal<ThumbnailRegions | null>;
  /** The scores of all heads; requested while a view watches. */
  readonly scores: ReadonlySignal<Load>;
  /** The heads that are drawn together. */
  readonly heads: Heads;
  /** The focused head; for a long text, its heaviest weights. */
  readonly head: ReadonlySignal<Load>;
  /** Progress of requests that take long. */
  readonly progress: {
    thumbnails: ReadonlySignal<Progress | null>;
    scores: ReadonlySignal<Progress | null>;
    head: ReadonlySignal<Progress | null>;
  };
  /** The most exact weights available of the head; null before any arrive. */
  readonly weights: ReadonlySignal<Weights | null>;
  /** The breakdown of the shown query. */
  readonly breakdown: QueryBreakdown;
  /** A trial text for the shown call. */
  readonly trial: Trial;

  /** Why the request for the selected item failed; null if it did not. */
  readonly failure: ReadonlySignal<ItemFailure | null>;

  private readonly item: ShownItem;
  private readonly disposers: (() => void)[] = [];

  /**
   * @param id - Id of the panel, unique among the kernel's panels and kept over a reload.
   * @param session - Session of the kernel, shared by the panels of a notebook.
   * @param visible - Whether the panel is visible initially.
   */
  constructor(
    readonly id: string,
    readonly session = new KernelSession(),
    visible = true
  ) {
    const { selection } = this;
    this.visible = signal(visible);
    const payloads = (this.payloads = session.payloads);
    const follower = (this.follower = new TraceFollower(session));
    this.trial = new Trial(session, follower);
    let last: TraceSummary | null = null;
    this.trace = computed(() => (last = this.visible.value ? follower.current.value : last));
    this.item = new ShownItem(session.sequences, selection, this.trace);
    this.shown = this.item.shown;
    this.failure = this.item.failure;
    this.site = computed(() => this.trace.value?.sites[selection.focus.value.site] ?? null);
    this.sides = computed(() => {
      const [shown, site] = [this.shown.value, this.site.value];
      return shown && site ? sidesOf(shown, site) : NO_SIDES;
    });
    const all = computed<(PayloadKey & { kind: 'thumbnails' }) | null>(() => {
      const { trace, item } = this.shown.value ?? {};
      return trace ? { kind: 'thumbnails', trace: trace.id, item: item ?? 0 } : null;
    });
    const scored = computed<PayloadKey | null>(() => all.value && { ...all.value, kind: 'scores' });
    this.breakdown = new QueryBreakdown(payloads, selection, this.shown, this.site);
    this.thumbnails = computed(() => wanted(payloads, all.value));
    this.scores = computed(() => wanted(payloads, scored.value));
    const { shown, site, sides, thumbnails, display } = this;
    this.heads = new Heads({ payloads, selection, display, shown, site, sides, thumbnails });
    this.head = this.heads.load;
    this.regions = thumbnailRegions({
      selection,
      trace: this.trace,
      site,
      sides,
      heads: this.heads
    });
    const far = (payloadKey: PayloadKey | null) =>
      payloadKey ? payloads.progress(payloadKey).value : null;
    this.progress = {
      thumbnails: computed(() => far(all.value)),
      scores: computed(() => far(scored.value)),
      head: this.heads.progress
    };
    this.weights = this.heads.weights;
    this.disposers.push(
      effect(() => (this.visible.value ? untracked(() => session.watch()) : undefined)),
      effect(() => {
        const cell = this.visible.value ? (follower.current.value?.cell ?? null) : null;
        untracked(() => session.documents.show(id, cell));
      }),
      () => session.documents.show(id, null),
      effect(() => {
        const shown = this.shown.value;
        untracked(() => selection.fit(shown));
      }),
      keepSubscribed(session.backend, this.visible, () => this.subscription),
      this.item.follow(),
      // A hidden panel is never the active one for Python.
      effect(() => (this.visible.value ? session.selections.join(id, selection) : undefined))
    );
  }

  /** What a visible panel would show; null if its tokens have not arrived. */
  get latest(): Shown | null {
    const trace = this.follower.current.value;
    return trace && this.item.of(trace);
  }

  /** What pushes should include. */
  private get subscription(): SubscribeParams {
    return {
      panel: this.id,
      size: THUMBNAIL,
      item: this.selection.item.value,
      focus: this.selection.focus.value,
      heads: [...this.selection.heads.value],
      query: this.selection.query.value,
      neuron: !this.display.folded.value.includes('neuron'),
      pinned: this.follower.pinned.value === null ? null : (this.trace.value?.id ?? null)
    };
  }

  toJSON(): SavedPanel {
    const { selection, display, follower } = this;
    return {
      selection: selection.toJSON(),
      display: display.toJSON(),
      followed: follower.toJSON()
    };
  }

  /** Restores a stored state; missing fields, e.g. of an older version, keep their values. */
  restore({ selection, display, followed }: Partial<SavedPanel>): void {
    batch(() => {
      this.follower.restore(followed ?? {});
      this.display.restore(display);
      this.selection.restore({ ...this.selection.toJSON(), ...selection });
    });
  }

  /** Makes this panel the active one, which `attnlab.selection` in Python refers to. */
  use(): void {
    this.session.selections.activate(this.id);
  }

  /** Stops all requests; the session stays open for other panels. */
  dispose(): void {
    this.trial.close();
    this.disposers.splice(0).forEach(dispose => dispose());
  }
}

function wanted(payloads: PayloadCache, payloadKey: PayloadKey | null): Load {
  return payloadKey ? payloads.want(payloadKey).value : PENDING;
}
