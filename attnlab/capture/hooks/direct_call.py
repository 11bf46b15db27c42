"""Finds running methods of a model whose calls were not intercepted.

These are a ``forward`` that was called directly, and a ``generate`` that was called without its
decorators. The first module call inside such a method is intercepted; the method's frame is then
found among the callers, and the method is recorded until it ends. Its end is detected by the
deletion of an object that only its frame refers to.
"""

from __future__ import annotations

import _thread
import inspect
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnlab.capture.transformers_internals import generation_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from attnlab.capture.feed.callsite import Callsite
    from attnlab.capture.generate.recording import GenerateRecording
    from attnlab.capture.hooks.observation import Observation
    from attnlab.capture.passes.call_recording import CallRecording
    from attnlab.capture.record.recorded_call import Refusal

log = logging.getLogger(__name__)

NAMES = frozenset({"forward", "generate"})
"""Names of these methods."""

RETRIES = 8
"""Number of inspections of a thread, after which its method is assumed to be running still."""


@dataclass(frozen=True, eq=False)
class RunningMethod:
    """A running method and its arguments."""

    frame: FrameType
    module: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    generates: bool


def find(accepts: Callable[[Any], bool]) -> RunningMethod | None:
    """Find the outermost such method of an accepted module among the callers.

    Must be called only while no module call is being recorded: any running ``forward`` was then
    called directly, not through its module.

    Returns
    -------
    RunningMethod or None
        None if there is none, or if a debugger or another tool traces the code: it may need the
        frame's trace function.
    """
    if sys.gettrace() is not None:
        return None
    found: tuple[FrameType, Any] | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in NAMES and frame.f_code.co_argcount:
            module = _owner(frame)
            if module is not None and accepts(module):
                found = frame, module
        frame = frame.f_back
    if found is None or found[0].f_trace is not None:
        return None
    return RunningMethod(*found, *_arguments(found[0]), found[0].f_code.co_name == "generate")


def _owner(frame: FrameType) -> Any | None:
    """Return the module whose method a frame runs; None if the frame runs no such method."""
    import torch

    name = frame.f_code.co_name
    module = frame.f_locals.get(frame.f_code.co_varnames[0])
    if not isinstance(module, torch.nn.Module):
        return None
    owners: tuple[type, ...] = type(module).__mro__
    if name == "generate":
        # A model's override calls the library's method by name, and that call is intercepted.
        owners = (generation_class() or object,)
    codes = (code for owner in owners for code in _codes(owner.__dict__.get(name)))
    return module if any(code is frame.f_code for code in codes) else None


def _codes(function: Any) -> Iterator[CodeType]:
    """Yield the code objects of a function and of those that it wraps."""
    for _ in range(16):
        code = getattr(function, "__code__", None)
        if code is None:
            return
        yield code
        function = getattr(function, "__wrapped__", None)


def _arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a running method, as the current values of its parameters."""
    parameters, variadic, keywords, values = inspect.getargvalues(frame)
    names = [name for name in parameters[1:] if name in values]
    positional = tuple(values.get(variadic, ())) if variadic else ()
    kwargs = dict(values.get(keywords, {})) if keywords else {}
    if positional or frame.f_code.co_posonlyargcount > 1:
        count = frame.f_code.co_argcount - 1
        args = (*(values[name] for name in names[:count]), *positional)
        return args, {**{name: values[name] for name in names[count:]}, **kwargs}
    return (), {**{name: values[name] for name in names}, **kwargs}


@dataclass(eq=False)
class DirectCall:
    """The recording of one method that was called directly.

    Attributes
    ----------
    listener
        The recording that handles the calls inside.
    thread
        Identifier of the thread that runs the method.
    began
        Time of the first module call inside, by `time.perf_counter`.
    callsites
        Where the method was called, by the id of the blocks that need it.
    failed
        The exception of the last call inside, as a refusal: the method has probably failed, too.
    """

    listener: CallRecording | GenerateRecording
    observations: list[Observation]
    thread: int
    began: float
    callsites: dict[int, Callsite | None]
    failed: Refusal | None = None

    def follow(self, frame: FrameType, end: Callable[[DirectCall], None]) -> None:
        """Call ``end(self)`` when a frame is deleted."""
        frame.f_trace = FrameMark(self, end)

    def calls(self) -> bool:
        """Whether the method's frame is among the callers of this function."""
        return self._among(sys._getframe(1))

    def runs(self) -> bool:
        """Whether the method is still running, in any thread."""
        if self.thread == threading.get_ident():
            return self.calls()
        for _ in range(RETRIES):
            top = sys._current_frames().get(self.thread)
            if top is None:
                return False
            if self._among(top):
                return True
            # A frame that has just returned has no callers: if the frame has changed, retry.
            if sys._current_frames().get(self.thread) is top:
                return False
        return True

    def _among(self, frame: FrameType | None) -> bool:
        while frame is not None:
            mark = frame.f_trace
            if type(mark) is FrameMark and mark.direct_call is self:
                return True
            frame = frame.f_back
        return False


class FrameMark:
    """An object that only a method's frame refers to, so that it is deleted with the frame."""

    __slots__ = ("_end", "direct_call")

    def __init__(self, direct_call: DirectCall, end: Callable[[DirectCall], None]) -> None:
        self.direct_call = direct_call
        self._end = end

    def __call__(self, *event: Any) -> None:
        """Do nothing: a debugger that starts within the frame may call this."""

    def __del__(self) -> None:
        direct_call = getattr(self, "direct_call", None)
        if direct_call is None:
            return
        try:
            self._end(direct_call)
        except KeyboardInterrupt:
            # Exceptions raised in `__del__` are lost, even that of an interrupt. An interrupt from
            # another thread is raised after this method.
            _thread.start_new_thread(_thread.interrupt_main, ())
        except Exception as fault:  # Otherwise Python would print it in the cell.
            log.exception("attnlab could not end a recording")
            for observation in getattr(direct_call, "observations", ()):
                observation.failed(fault)
