"""Replaces the code of a library's function, and keeps the function object.

If an attribute were replaced instead, the notebook could save the replacement and restore it much
later, and code that looked up the function earlier would not call the replacement. With the code
replaced, every reference to the function calls the replacement until the original is restored.

`inspect` returns the same as for the original. PyTorch's compiler stores its results with the code
object, and skips code of frozen modules: so the original function, which is called by the
replacement, runs as before.
"""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any

from attnlab.capture.guards.bypass import Bypass
from attnlab.capture.guards.frames import FROZEN
from attnlab.capture.guards.user_call import UserCall, hide_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

MARK = "attnlab replacement"

SOURCE = """
def enclosing({cells}):
    def replacement({parameters}):
        if 0: ({cells})
        _replacement = {mark!r}
        if _replacement.bypass.on or _replacement.compiler() is not None:
            return _replacement.original({arguments})
        _call = _replacement.once(_replacement.original)
        try:
            try:
                return _replacement.handle(_call, {arguments})
            except BaseException as _error:
                if not _call.recovers_from(_error):
                    raise
                _replacement.failed(_error)
            return _call.finish({arguments})
        except BaseException as _error:
            _replacement.hide_frames(_error)
            raise
        finally:
            _call.release()
    return replacement
"""
"""The equivalent of `user_call.guarded` in source code.

The code runs with the globals of the function, so a constant stands for the `CodeReplacement`.
"""

NAMES = frozenset({"_replacement", "_call", "_error", "enclosing", "replacement", "BaseException"})


class CodeReplacement:
    """Replaces the code of one function, between `install` and `undo`.

    Parameters
    ----------
    function
        A plain Python function.
    handle, failed
        See `user_call.guarded`.
    compiler
        Returns None unless PyTorch's compiler traces this thread. Must not be a Python function.
    bypass
        While it is on, the replacement only calls the original.
    """

    once = UserCall
    hide_frames = staticmethod(hide_frames)

    def __init__(
        self,
        function: types.FunctionType,
        handle: Function,
        failed: Callable[[Exception], None],
        compiler: Callable[[], Any],
        bypass: Bypass | None = None,
    ) -> None:
        self.function = function
        self.handle = handle
        self.failed = failed
        self.compiler = compiler
        self.bypass = bypass or Bypass()
        self.original = _copy(function)
        self._original_code = function.__code__
        self._installed_code: types.CodeType | None = None
        self._added: dict[str, Any] = {}

    def install(self) -> None:
        """Replace the code of the function."""
        function = self.function
        self._installed_code = _replacement_code(function, self)
        # `inspect` must read from the original what it otherwise reads from the code.
        if not hasattr(function, "__wrapped__"):
            if _parameters(function)[0] != _simple_parameters(function):
                self._add_attribute("__signature__", inspect.signature(function))
            self._add_attribute("__wrapped__", self.original)
        function.__code__ = self._installed_code

    def undo(self) -> None:
        """Restore the code of the function, unless other software has replaced it since."""
        function = self.function
        if self._installed_code is not None and function.__code__ is self._installed_code:
            function.__code__ = self._original_code
        for name, value in self._added.items():
            if function.__dict__.get(name) is value:
                del function.__dict__[name]
        # The code refers to this object, and Python does not collect cycles through code objects.
        self._installed_code = None

    def _add_attribute(self, name: str, value: Any) -> None:
        if name not in self.function.__dict__:
            self._added[name] = value
            self.function.__dict__[name] = value


def replaceable(function: Any) -> bool:
    """Whether a function's code can be replaced."""
    if type(function) is not types.FunctionType:
        return False
    code = function.__code__
    return not NAMES.intersection((*code.co_freevars, *code.co_varnames))


def _copy(function: types.FunctionType) -> types.FunctionType:
    """Return a copy of a function."""
    copy = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    for name in ("__kwdefaults__", "__annotations__", "__doc__", "__module__", "__qualname__"):
        setattr(copy, name, getattr(function, name))
    copy.__dict__.update(function.__dict__)
    return copy


def _parameters(function: types.FunctionType) -> tuple[str, str]:
    """Return the parameters of a replacement, and the arguments that it passes on."""
    parameters = _simple_parameters(function)
    return (parameters, parameters) if parameters else ("*args, **kwargs", "*args, **kwargs")


def _simple_parameters(function: types.FunctionType) -> str:
    """Return a function's parameters; "" unless it has at most one besides variadic ones."""
    code = function.__code__
    if code.co_kwonlyargcount or code.co_posonlyargcount or code.co_argcount > 1:
        return ""
    if function.__defaults__:
        return ""
    names, index = list(code.co_varnames), code.co_argcount
    parameters = names[:index]
    for flag, stars in ((inspect.CO_VARARGS, "*"), (inspect.CO_VARKEYWORDS, "**")):
        if code.co_flags & flag:
            parameters.append(stars + names[index])
            index += 1
    return ", ".join(parameters)


def _replacement_code(function: types.FunctionType, replacement: CodeReplacement) -> types.CodeType:
    """Compile the replacement, with the function's free variables, as Python requires."""
    code = _compiled(function.__code__.co_freevars, *_parameters(function))
    return code.replace(
        co_consts=tuple(
            replacement if constant == MARK else constant for constant in code.co_consts
        ),
        co_name=function.__code__.co_name,
        co_qualname=function.__code__.co_qualname,
    )


@functools.cache
def _compiled(free_variables: tuple[str, ...], parameters: str, arguments: str) -> types.CodeType:
    namespace: dict[str, Any] = {}
    source = SOURCE.format(
        cells=", ".join(free_variables), parameters=parameters, arguments=arguments, mark=MARK
    )
    exec(compile(source, FROZEN, "exec"), namespace)
    code: types.CodeType = namespace["enclosing"](*free_variables).__code__
    return code
