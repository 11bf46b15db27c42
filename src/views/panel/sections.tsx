import { useSignal, type Signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { PanelPart } from '../../state/view-state/display';
import { HeadView } from '../head/view';
import { ModelView } from '../model/view';
import { NeuronView } from '../neuron/view';
import { useEnv } from '../parts/env';
import { FoldButton } from '../parts/fold-button';
import { Splitter } from './splitter';

/**
 * The three views, stacked, or in a wide panel with the model beside the head.
 *
 * Only the title of a collapsed view is rendered.
 */
export function Sections() {
  const { state, t } = useEnv();
  const model = useSignal<number | null>(null);
  const head = useSignal<number | null>(null);
  const neuron = useSignal<number | null>(null);
  const parts: Omit<SectionProps, 'below'>[] = [
    { part: 'model', name: t('Model'), View: ModelView, height: model },
    { part: 'head', name: t('Head'), View: HeadView, height: head },
    { part: 'neuron', name: t('Neuron'), View: NeuronView, height: neuron }
  ];
  const folded = state.display.folded.value;
  return (
    <div
      class="attnlab-parts"
      style={{
        '--attnlab-model-height': pixels(model.value),
        '--attnlab-head-height': pixels(head.value)
      }}
    >
      {parts.map((props, i) => (
        <Section
          key={props.part}
          below={parts.slice(i + 1).some(({ part }) => !folded.includes(part))}
          {...props}
        />
      ))}
    </div>
  );
}

function pixels(height: number | null): string | undefined {
  return height === null ? undefined : `${height}px`;
}

interface SectionProps {
  part: PanelPart;
  name: string;
  View: ComponentType;
  /** The height set by the user in pixels; null for the default. */
  height: Signal<number | null>;
  /** Whether a section below is expanded and takes the remaining height. */
  below: boolean;
}

function Section({ part, name, View, height, below }: SectionProps) {
  const { state, t } = useEnv();
  const section = useRef<HTMLElement>(null);
  const pressed = useRef(false);
  const open = !state.display.folded.value.includes(part);
  const sized = open && below && height.value !== null;
  const labels: Record<PanelPart, string> = {
    model: t('Height of the model view'),
    head: t('Height of the head view'),
    neuron: t('Height of the neuron view')
  };
  useLayoutEffect(() => {
    // A toggle replaces the title with its button, which had the focus.
    if (pressed.current) {
      section.current?.querySelector<HTMLElement>('.attnlab-fold')?.focus();
    }
    pressed.current = false;
  }, [open]);
  return (
    <>
      <section
        ref={section}
        class={`attnlab-part attnlab-${part}-part`}
        aria-label={name}
        data-sized={sized || undefined}
        data-folded={!open || undefined}
        data-last={!below || undefined}
        onClickCapture={({ target }) => {
          pressed.current = target instanceof Element && target.matches('.attnlab-fold');
        }}
      >
        {open ? (
          <View />
        ) : (
          <h2 class="attnlab-title">
            <FoldButton part={part} name={name} />
          </h2>
        )}
      </section>
      {open && below && <Splitter above={section} height={height} label={labels[part]} />}
    </>
  );
}
