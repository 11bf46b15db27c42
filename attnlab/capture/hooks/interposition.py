"""Replaces the functions that a model calls while a cell is watched, and restores them exactly.

The replaced functions are: the call of a module (to find outermost calls), the lookup of the
attention function (to read the arguments of each call), ``generate``, methods of tokenizers, and
the functions that give work to other threads (the start of a thread, the creation of a future).
A function is replaced after the notebook has imported its module; this module imports neither
torch nor transformers.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.patch import Patch
from attnlab.capture.guards.user_call import guarded, hide_frames
from attnlab.capture.hooks.replacements import CodeReplacement, replaceable
from attnlab.capture.torch_internals import compiler_callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnlab.capture.guards.bypass import Bypass
    from attnlab.capture.guards.user_call import UserCall


class Listener(Protocol):
    """Handles the intercepted calls.

    Each method receives the user's call, and must return its result. If the method fails, the
    user's call is made nevertheless.
    """

    bypass: Bypass
    """Turns `module_call` off."""

    def module_call(self, call: UserCall, module: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run ``call(module, *args, **kwargs)``."""

    def attention_function(
        self, found: Callable[..., Any], default: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Return an attention function that replaces `found`, and calls it."""

    def generate_called(self, call: UserCall, model: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run ``call(model, *args, **kwargs)``, a model's ``generate``."""

    def scores_processed(
        self, call: UserCall, processors: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run ``call(processors, *args, **kwargs)``, the logits processors of ``generate``."""

    def stopping_decided(self, call: UserCall, criteria: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run ``call(criteria, *args, **kwargs)``, the stopping criteria of ``generate``."""

    def tokenizer_called(
        self, method: str, call: UserCall, tokenizer: Any, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Run ``call(tokenizer, *args, **kwargs)``, a tokenizer's method."""

    def thread_started(self, call: UserCall, thread: Any, /) -> None:
        """Run ``call(thread)``, a thread's ``start``."""

    def future_made(self, call: UserCall, future: Any, /) -> None:
        """Run ``call(future)``, the initialization of a future."""

    def failed(self, fault: Exception) -> None:
        """Handle an error in one of these methods; must not raise."""


class Interposition:
    """The replaced functions."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.failed = listener.failed
        self._placed: dict[str, list[Patch | CodeReplacement]] = {}
        self._covered: list[Patch] = []
        """Attributes that other code has replaced since; it may restore our replacement later."""

    PARTS = (
        "torch",
        "transformers.modeling_utils",
        "transformers.generation.utils",
        "transformers.tokenization_utils_base",
        "threading",
        "concurrent.futures._base",
    )

    def ensure(self) -> None:
        """Replace the functions of every imported module; fast if this was already done."""
        for name in self.PARTS:
            module = sys.modules.get(name)
            if name not in self._placed and module is not None:
                self.add(name, module)

    def add(self, name: str, module: Any) -> None:
        """Replace the functions of a module; has no effect while it is only partly imported."""
        if name in self._placed:
            return
        listener = self._listener
        if name == "torch":
            # Missing while torch is being imported; the import watch calls this again afterward.
            owner = getattr(getattr(module, "nn", None), "Module", None)
            if owner is not None and hasattr(module, "compiler"):
                self._place(name, owner, listener.bypass, __call__=listener.module_call)
        elif name == "transformers.modeling_utils":
            if hasattr(module, "ALL_ATTENTION_FUNCTIONS"):
                # The function's code must not be replaced, because PyTorch's compiler reads it.
                self.settle()
                owner = module.AttentionInterface
                self._placed[name] = [Patch.apply(owner, "get_interface", self._wrap_interface)]
        elif name == "transformers.generation.utils":
            if hasattr(module, "GenerationMixin"):
                self._place(name, module.GenerationMixin, generate=listener.generate_called)
                lists = {
                    "LogitsProcessorList": listener.scores_processed,
                    "StoppingCriteriaList": listener.stopping_decided,
                }
                for kind, call in lists.items():
                    if (owner := getattr(module, kind, None)) is not None:
                        self._place(name, owner, __call__=call)
        elif name == "threading":
            self._place(name, module.Thread, start=listener.thread_started)
        elif name == "concurrent.futures._base":
            if hasattr(module, "Future"):
                self._place(name, module.Future, __init__=listener.future_made)
        elif hasattr(module, "PreTrainedTokenizerBase"):
            methods = ("__call__", "encode", "apply_chat_template")
            handle = listener.tokenizer_called
            handles = {method: functools.partial(handle, method) for method in methods}
            self._place(name, module.PreTrainedTokenizerBase, None, **handles)

    def remove(self) -> None:
        """Restore all functions in reverse order; can be repeated after an interrupt."""
        while self._placed:
            name = next(reversed(self._placed))
            placed = self._placed[name]
            while placed:
                replacement = placed[-1]
                if replacement.undo() is False and isinstance(replacement, Patch):
                    self._covered.append(replacement)
                placed.pop()
            del self._placed[name]
        self.settle()

    def settle(self) -> None:
        """Restore attributes to which other code has assigned our replacement again."""
        for patch in list(self._covered):
            if patch.undo():
                self._covered.remove(patch)

    def _place(self, part: str, owner: Any, bypass: Bypass | None = None, **handles: Any) -> None:
        """Replace functions of a class."""
        placed = self._placed.setdefault(part, [])
        failed, compiler = self._listener.failed, compiler_callback()
        for name, handle in handles.items():
            function = getattr(owner, name)
            if replaceable(function):
                placed.append(
                    replacement := CodeReplacement(function, handle, failed, compiler, bypass)
                )
                replacement.install()
            else:
                wrap = functools.partial(guarded, handle=handle, failed=failed)
                placed.append(Patch.apply(owner, name, wrap))

    def _wrap_interface(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # Code of the notebook that replaced one of ours may call it: that one only passes on.
        covered = [patch.replacement for patch in self._covered]
        free = [lookup for lookup in _lookups if lookup.function not in covered]
        if not free:
            free = [_InterfaceLookup(_another_get_interface)]
            _lookups.extend(free)
        for lookup in _lookups:
            lookup.listener = None
        free[0].wrap(original, self._listener)
        return free[0].function


class _InterfaceLookup:
    """A replacement of the lookup of attention functions, and what it refers to."""

    original: Callable[..., Any]
    listener: Listener | None = None

    def __init__(self, make: Callable[[_InterfaceLookup], Callable[..., Any]]) -> None:
        self.function = make(self)

    def wrap(self, original: Callable[..., Any], listener: Listener) -> None:
        """Look attention functions up with `original`, and pass them to the listener."""
        if original is not self.function:
            self.original = original
            functools.update_wrapper(self.function, original)
            self.function.__dict__["__signature__"] = inspect.signature(original)
        self.listener = listener


def _another_get_interface(lookup: _InterfaceLookup) -> Callable[..., Any]:
    """Copy `_get_interface`, with another lookup behind it."""
    names = {**_get_interface.__globals__, "_interface": lookup}
    return types.FunctionType(_get_interface.__code__, names)


@hidden_frame
def _get_interface(interface: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Replace the lookup of an attention function.

    PyTorch's compiler reads this function, and recompiles a model when anything that it has read
    changes. Therefore there is only one such function, and it refers only to permanent objects.
    """
    import torch

    try:
        found = _interface.original(interface, *args, **kwargs)
    except BaseException as error:
        hide_frames(error)
        raise
    if torch.compiler.is_compiling():
        return found
    listener = _interface.listener
    if listener is None:
        return found
    try:
        default = kwargs["default"] if "default" in kwargs else args[1]
        return listener.attention_function(found, default)
    except Exception as fault:  # noqa: BLE001 - an error of attnlab
        listener.failed(fault)
    return found


_interface = _InterfaceLookup(lambda _: _get_interface)
_lookups = [_interface]
"""The first is used unless the notebook has replaced it."""
