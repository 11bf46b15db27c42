"""Makes the user's call exactly once, whatever happens around it.

Code of attnlab surrounds the call, and may fail before, during or after it. The call is made in
any case, and the user gets its result or exception. Interrupts are raised where they occur.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.frames import hidden_frame, remove_hidden_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


class UserCall:
    """One call of a function by the user.

    Parameters
    ----------
    original
        The function that the user called.
    """

    __slots__ = ("_error", "_made", "_result", "original")

    def __init__(self, original: Function) -> None:
        self.original = original
        self._made = False
        self._result: Any = None
        self._error: BaseException | None = None

    @hidden_frame
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Make the call."""
        self._made = True
        try:
            # Not in a local variable: an exception of an inner call may keep this frame alive.
            self._result = self.original(*args, **kwargs)
        except BaseException as error:
            self._error = error
            raise
        return self._result

    @hidden_frame
    def through(self, function: Function, /, *args: Any, **kwargs: Any) -> Any:
        """Make the call through another function, which does the same."""
        self.original = function
        return self(*args, **kwargs)

    def recovers_from(self, error: BaseException) -> bool:
        """Whether an error is attnlab's, so that the user gets the outcome of the call instead."""
        return isinstance(error, Exception) and error is not self._error

    @hidden_frame
    def finish(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return or raise the outcome of the call; make the call if it was not made."""
        if not self._made:
            return self.original(*args, **kwargs)
        if self._error is not None:
            raise self._error
        return self._result

    def release(self) -> None:
        """Drop the outcome: the frames of an exception may keep this object alive for long."""
        self._error = self._result = None


def guarded(original: Function, handle: Function, failed: Callable[[Exception], None]) -> Function:
    """Return a function that replaces another one.

    Parameters
    ----------
    original
        The user's function.
    handle
        Called with a `UserCall` and the arguments, which it must pass to the former.
    failed
        Called with an error of attnlab.
    """

    @functools.wraps(original)
    @hidden_frame
    def replacement(*args: Any, **kwargs: Any) -> Any:
        call = UserCall(original)
        try:
            try:
                return handle(call, *args, **kwargs)
            except BaseException as error:
                if not call.recovers_from(error):
                    raise
                failed(error)  # type: ignore[arg-type]
            return call.finish(*args, **kwargs)
        except BaseException as error:
            hide_frames(error)
            raise
        finally:
            call.release()

    return replacement


def without_traceback(fault: Exception) -> Exception:
    """Remove the traceback from an error of attnlab: its frames keep all of their variables."""
    fault.__traceback__ = fault.__context__ = fault.__cause__ = None
    return fault


def hide_frames(error: BaseException) -> None:
    """Remove attnlab's frames from an error's traceback, if possible."""
    with contextlib.suppress(Exception):
        remove_hidden_frames(error)
