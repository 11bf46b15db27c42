import type { Kernel } from '@jupyterlab/services';

/** The outcome of starting the backend in a kernel. */
export type Start =
  | { outcome: 'started'; session: string }
  | { outcome: 'missing'; packages: string[] }
  | { outcome: 'failed'; cause: string }
  /** The kernel dropped the request, e.g. after an error in a cell before it. */
  | { outcome: 'dropped' };

/** Evaluates to an object with a JSON representation; a plain value would be sent as its `repr`. */
const EXPRESSION = "__import__('attnlab.widget', fromlist=['start']).start()";

interface Outcome {
  status?: string;
  ename?: string;
  evalue?: string;
  data?: Record<string, { session?: string; missing?: string[] } | undefined>;
}

/**
 * Starts the backend without output and outside the history; idempotent.
 *
 * The request is sent before this returns, so that the backend runs before a cell whose execution
 * is requested next.
 */
export async function startBackend(kernel: Kernel.IKernelConnection): Promise<Start> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    user_expressions: { attnlab: EXPRESSION },
    allow_stdin: false,
    stop_on_error: false
  });
  let content;
  try {
    ({ content } = await future.done);
  } catch {
    // A restart cancels pending requests.
    return { outcome: 'dropped' };
  }
  if (content.status !== 'ok') {
    return { outcome: 'dropped' };
  }
  const { status, ename, evalue, data } = (content.user_expressions.attnlab ?? {}) as Outcome;
  if (status === 'ok') {
    const { session = '', missing = [] } = data?.['application/json'] ?? {};
    return missing.length > 0
      ? { outcome: 'missing', packages: missing }
      : { outcome: 'started', session };
  }
  const name = /^No module named '([\w.]+)'/.exec(evalue ?? '')?.[1];
  if (ename === 'ModuleNotFoundError' && name !== undefined) {
    return { outcome: 'missing', packages: [name.split('.')[0] ?? name] };
  }
  return { outcome: 'failed', cause: `${ename ?? 'Error'}: ${evalue ?? ''}` };
}
