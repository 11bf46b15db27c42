"""Methods of a model that run and were not seen when they were called.

They are its ``forward``, called directly, and a ``generate`` that was looked up before the
block. Nothing stands in the way of such a call: what is seen is the first module that it
calls. From there on the recording is of the whole method, whose frame is found among the
callers. That the frame is done is learned from an object that it alone holds.
"""

from __future__ import annotations

import _thread
import inspect
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from attnlab.capture.call import Refusal
    from attnlab.capture.callsite import Callsite
    from attnlab.capture.observation import Observation
    from attnlab.capture.recording import Recording
    from attnlab.capture.steps import Steps

NAMES = frozenset({"forward", "generate"})
"""The methods that are looked for."""

RETRIES = 8
"""How often a thread that goes on is looked at before it is taken to run still."""


@dataclass(frozen=True, eq=False)
class Found:
    """A method that runs, and what it was given."""

    frame: FrameType
    module: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    generates: bool


def find(accepts: Callable[[Any], bool]) -> Found | None:
    """Find the outermost such method of an accepted module among the callers.

    To be asked where no call of a module is being recorded: then nobody has called the
    module of a ``forward`` that runs, but ``forward`` itself.

    Returns
    -------
    Found or None
        None also where a debugger or the like traces the code: it may need what marks the
        frame.
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
    return Found(*found, *_given(found[0]), found[0].f_code.co_name == "generate")


def _owner(frame: FrameType) -> Any | None:
    """Return the module whose method a frame runs; None where it runs something else."""
    import torch

    name = frame.f_code.co_name
    module = frame.f_locals.get(frame.f_code.co_varnames[0])
    if not isinstance(module, torch.nn.Module):
        return None
    owners: tuple[type, ...] = type(module).__mro__
    if name == "generate":
        # A model's own calls that of the library by its name, which is seen.
        library = sys.modules.get("transformers.generation.utils")
        owners = (getattr(library, "GenerationMixin", object),)
    codes = (code for owner in owners for code in _codes(owner.__dict__.get(name)))
    return module if any(code is frame.f_code for code in codes) else None


def _codes(function: Any) -> Iterator[CodeType]:
    """Codes of a function and of those that it wraps."""
    for _ in range(16):
        code = getattr(function, "__code__", None)
        if code is None:
            return
        yield code
        function = getattr(function, "__wrapped__", None)


def _given(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a running method, as far as they still have their names."""
    named, rest, more, values = inspect.getargvalues(frame)
    own = [name for name in named[1:] if name in values]
    positional = tuple(values.get(rest, ())) if rest else ()
    kwargs = dict(values.get(more, {})) if more else {}
    if positional or frame.f_code.co_posonlyargcount > 1:
        count = frame.f_code.co_argcount - 1
        args = (*(values[name] for name in own[:count]), *positional)
        return args, {**{name: values[name] for name in own[count:]}, **kwargs}
    return (), {**{name: values[name] for name in own}, **kwargs}


@dataclass(eq=False)
class Forward:
    """One recording of such a method.

    Attributes
    ----------
    listener
        Who hears of what is called inside.
    thread
        Identifier of the thread that runs it.
    began
        When the first module inside was called, by `time.perf_counter`.
    callsites
        Where it was called, by the identity of the blocks that ask.
    failed
        Why it has probably not come to its end: the newest call inside has raised.
    """

    listener: Recording | Steps
    observations: list[Observation]
    thread: int
    began: float
    callsites: dict[int, Callsite | None]
    failed: Refusal | None = None

    def follow(self, frame: FrameType, end: Callable[[Forward], None]) -> None:
        """Call ``end(self)`` once a frame is done."""
        frame.f_trace = Mark(self, end)

    def calls(self) -> bool:
        """Whether its frame is among the callers of this function."""
        return self._among(sys._getframe(1))

    def runs(self) -> bool:
        """Whether it still runs, in whichever thread."""
        if self.thread == threading.get_ident():
            return self.calls()
        for _ in range(RETRIES):
            top = sys._current_frames().get(self.thread)
            if top is None:
                return False
            if self._among(top):
                return True
            # What has returned meanwhile has no callers any more.
            if sys._current_frames().get(self.thread) is top:
                return False
        return True

    def _among(self, frame: FrameType | None) -> bool:
        while frame is not None:
            mark = frame.f_trace
            if type(mark) is Mark and mark.forward is self:
                return True
            frame = frame.f_back
        return False


class Mark:
    """What only the frame of a method holds, so that it goes when the frame does."""

    __slots__ = ("_end", "forward")

    def __init__(self, forward: Forward, end: Callable[[Forward], None]) -> None:
        self.forward = forward
        self._end = end

    def __call__(self, *event: Any) -> None:
        """Trace nothing: a debugger that begins within the frame may ask."""

    def __del__(self) -> None:
        try:
            self._end(self.forward)
        except KeyboardInterrupt:
            # Raised in here it would be lost; this way it comes right after.
            _thread.interrupt_main()
