import { offer, type HubModel } from '../protocol/bridge';

interface Kernel {
  readonly id: string;
  readonly clientId: string;
}

/** The widget manager of Jupyter's front ends has a kernel; those of other hosts may not. */
interface Model extends HubModel {
  readonly widget_manager?: { readonly kernel?: Kernel | null };
}

/**
 * Hands the hub's model to the labextension.
 *
 * Synchronous and tiny on purpose: anywidget leaves a model deaf for good when loading
 * and `initialize` take more than two seconds.
 */
function initialize({ model, signal }: { model: Model; signal: AbortSignal }): void {
  const kernel = model.widget_manager?.kernel;
  offer({ model, kernel: kernel?.id ?? '', connection: kernel?.clientId ?? '', signal });
}

export default { initialize };
