"""Replaces an attention function of the interface while ``generate`` runs."""

from __future__ import annotations

import functools
from threading import get_ident
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.user_call import hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.generate.recording import GenerateRecording

    Function = Callable[..., Any]


def noting_function(
    recording: GenerateRecording,
    found: Function,
    default: Function,
    otherwise: Function,
    failed: Callable[[Exception], None],
) -> Function:
    """Return a function that calls an attention function and notes the call in the running step.

    It does as little as possible, since each step calls it once for each layer.

    Parameters
    ----------
    recording
        The running call of ``generate``.
    found, default
        The function that the model looked up, and the one it would use by default.
    otherwise
        Replaces `found` outside of such steps.
    failed
        Called with an error of attnlab.
    """

    @functools.wraps(found)
    @hidden_frame
    def noting(*args: Any, **kwargs: Any) -> Any:
        step = recording.step
        if step is None or step.thread != get_ident():
            return otherwise(*args, **kwargs)
        try:
            result = found(*args, **kwargs)
        except BaseException as error:
            hide_frames(error)
            raise
        try:
            step.note(found, default, args, kwargs, result)
        except Exception as fault:  # noqa: BLE001 - an error of attnlab
            failed(fault)
        return result

    return noting
