import type { Kernel } from '@jupyterlab/services';

/** What came of the attempt to start the backend in a kernel. */
export type Start =
  | { outcome: 'started' }
  | { outcome: 'missing'; packages: string[] }
  | { outcome: 'failed'; cause: string }
  /** The kernel dropped the request, e.g. after an error in a cell before it. */
  | { outcome: 'dropped' };

/** Evaluates to something that shows itself as JSON; a plain value would come as its `repr`. */
const EXPRESSION = "__import__('attnlab.widget', fromlist=['start']).start()";

interface Outcome {
  status?: string;
  ename?: string;
  evalue?: string;
  data?: Record<string, { missing?: string[] } | undefined>;
}

/**
 * Starts the backend silently and outside the history; idempotent.
 *
 * The request is sent before this returns, so that a cell whose execution is requested
 * next finds the backend running.
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
    // A restart cancels what is pending.
    return { outcome: 'dropped' };
  }
  if (content.status !== 'ok') {
    return { outcome: 'dropped' };
  }
  const { status, ename, evalue, data } = (content.user_expressions.attnlab ?? {}) as Outcome;
  if (status === 'ok') {
    const packages = data?.['application/json']?.missing ?? [];
    return packages.length > 0 ? { outcome: 'missing', packages } : { outcome: 'started' };
  }
  const name = /^No module named '([\w.]+)'/.exec(evalue ?? '')?.[1];
  if (ename === 'ModuleNotFoundError' && name !== undefined) {
    return { outcome: 'missing', packages: [name.split('.')[0] ?? name] };
  }
  return { outcome: 'failed', cause: `${ename ?? 'Error'}: ${evalue ?? ''}` };
}
