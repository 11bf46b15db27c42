"""The channels on which a kernel receives comm messages while a cell runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def busy_channels(shell: Any) -> list[str]:
    """Return the channels on which this kernel receives comm messages while a cell runs."""
    kernel = getattr(shell, "kernel", None)
    channels = []
    if isinstance(getattr(kernel, "control_handlers", None), dict):
        channels.append("control")
    if getattr(kernel, "_supports_kernel_subshells", False):
        channels.append("subshell")
    return channels


def receive_on_control(
    kernel: Any, hub_id: Callable[[], str], receive: Callable[[Any], None]
) -> None:
    """Receive the hub's messages on the control channel.

    The shell's thread is busy while a cell runs; the control channel has another thread. A
    subshell would work as well, but JupyterLab keeps using the subshells of the previous process
    after another page has restarted the kernel.

    Parameters
    ----------
    hub_id
        Returns the id of the hub's comm.
    receive
        Called with the content of each of its messages.
    """

    def comm_msg(stream: Any, ident: Any, message: Any) -> None:
        content = message["content"]
        data = content.get("data", {})
        if content.get("comm_id") == hub_id() and data.get("method") == "custom":
            # Not through the comm, which would trigger IPython's pre_execute and post_execute
            # on this thread.
            receive(data.get("content"))
        else:
            kernel.comm_manager.comm_msg(stream, ident, message)

    kernel.control_handlers["comm_msg"] = comm_msg


def answer_where_asked(comm: Any) -> None:
    """Respond on the subshell that a message names, as the messages of the inline view do.

    ipykernel 7.4 routes the messages of a comm to the shell that last published on it, which is
    blocked by a running cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default
