import { offer, type HubModel } from '../protocol/bridge';

interface Kernel {
  readonly id: string;
  readonly clientId: string;
}

/** The widget manager of Jupyter's front ends has a kernel; those of other hosts may not. */
interface Model extends HubModel {
  readonly widget_manager?: { readonly kernel?: Kernel | null };
}

interface Context {
  model: Model;
  /** Before version 0.11 anywidget has none, and calls what `initialize` returned. */
  signal?: AbortSignal;
}

/**
 * Hands the hub's model to the labextension.
 *
 * Synchronous and tiny on purpose: anywidget leaves a model deaf for good when loading
 * and `initialize` take more than two seconds.
 */
function initialize({ model, signal }: Context): () => void {
  const kernel = model.widget_manager?.kernel;
  const until = new AbortController();
  const close = () => until.abort();
  signal?.addEventListener('abort', close);
  offer({
    model,
    kernel: kernel?.id ?? '',
    connection: kernel?.clientId ?? '',
    signal: until.signal
  });
  return close;
}

export default { initialize };
