import { KernelMessage, type Kernel } from '@jupyterlab/services';

/** Prefix of backend session ids, which are the comm ids of their hubs. */
const SESSION = 'attnlab-';

/** An event of the process behind a kernel connection, inferred from its messages. */
export type ProcessEvent =
  /** A process ends. `session` is its backend's; `restarts` is set if another process follows. */
  | { of: 'end'; session: string | undefined; restarts: boolean }
  /** The first message of a process; an earlier process may have ended. */
  | { of: 'change' }
  /** A backend sent a message. */
  | { of: 'backend'; session: string }
  /** A backend closed its hub. */
  | { of: 'closed'; session: string };

/** The relevant fields of these messages. */
interface Content {
  execution_state?: string;
  comm_id?: string;
  restart?: boolean;
}

/**
 * Detects from the messages of a kernel connection when its process changes or ends.
 *
 * Every kernel process has a separate session id in the headers of its messages. A restart by
 * another page cannot be detected reliably otherwise, because the new process may announce its
 * start before this page's socket listens again.
 *
 * @returns Stops the detection.
 */
export function watchProcess(
  kernel: Kernel.IKernelConnection,
  listener: (sign: ProcessEvent) => void
): () => void {
  /** By process session: the session of its backend, if known. */
  const processes = new Map<string, string | undefined>();
  const receive = (_: unknown, { msg, direction }: Kernel.IAnyMessageArgs) => {
    if (direction !== 'recv') {
      return;
    }
    const { channel, header, content } = msg;
    const { msg_type: type, session } = header;
    const { execution_state: state, comm_id: comm, restart } = content as Content;
    // Sent by the server instead of the kernel; they also change the connection's status.
    const served = state === 'restarting' || state === 'dead';
    if (channel !== 'iopub' || served || !FROM_PROCESS.has(type)) {
      return;
    }
    if (!processes.has(session)) {
      processes.set(session, undefined);
      listener({ of: 'change' });
    }
    if (type === 'shutdown_reply') {
      listener({ of: 'end', session: processes.get(session), restarts: restart !== false });
    } else if (comm?.startsWith(SESSION)) {
      processes.set(session, comm);
      listener({ of: type === 'comm_close' ? 'closed' : 'backend', session: comm });
    }
  };
  kernel.anyMessage.connect(receive);
  return () => {
    kernel.anyMessage.disconnect(receive);
  };
}

/** Message types sent by kernel processes; the server itself may send others, e.g. `stream`. */
const FROM_PROCESS: ReadonlySet<string> = new Set([
  'status',
  'comm_open',
  'comm_msg',
  'comm_close',
  'shutdown_reply'
]);

/**
 * Asks the kernel for its backend.
 *
 * A page that opens while a cell runs gets no answer on the shell channel, and asks on the control
 * channel as well, which not every kernel supports. A kernel that restarts is asked on the shell
 * channel only: requests on the control channel have kept one from starting. The answer that there
 * is no backend counts only on the shell channel, where it comes after earlier requests that
 * start one.
 *
 * @returns The backend's session; null if there is none; undefined if the request was lost, e.g.
 *   because the kernel restarted.
 */
export async function findBackend(
  kernel: Kernel.IKernelConnection
): Promise<string | null | undefined> {
  const onShell = kernel.requestCommInfo(ASKED).then(sessionIn);
  // The page has not received anything from the kernel yet.
  const control = kernel.status === 'unknown' ? askOnControl(kernel) : null;
  try {
    return await (control
      ? Promise.race([control.session.then(id => id ?? onShell), onShell])
      : onShell);
  } catch {
    return undefined;
  } finally {
    control?.dispose();
  }
}

const ASKED = { target_name: 'jupyter.widget' };

function askOnControl(kernel: Kernel.IKernelConnection) {
  const message = KernelMessage.createMessage<KernelMessage.ICommInfoRequestMsg>({
    msgType: 'comm_info_request',
    // The protocol defines this request for the shell channel only.
    channel: 'control' as 'shell',
    username: kernel.username,
    session: kernel.clientId,
    content: ASKED
  });
  const future = kernel.sendControlMessage(
    message as unknown as KernelMessage.IControlMessage,
    true,
    true
  );
  const session = future.done.then(
    reply => sessionIn(reply as unknown as KernelMessage.ICommInfoReplyMsg),
    () => null
  );
  return { session, dispose: () => future.dispose() };
}

function sessionIn({ content }: KernelMessage.ICommInfoReplyMsg): string | null | undefined {
  return content.status === 'ok'
    ? (Object.keys(content.comms).findLast(id => id.startsWith(SESSION)) ?? null)
    : undefined;
}
