"""What is put in the way of a model while a cell is watched, and taken away exactly.

Every module's call (to know the outermost), the look-up of the attention function (to see
each call's arguments), ``generate``, the tokenizers' calls, and what gives other threads
something to do: the start of a thread, and the future of submitted work. Each is an
attribute of one class. A part is put in place only once the notebook has imported its
module; nothing here imports torch or transformers by itself.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from attnlab.capture.frames import between, hide

if TYPE_CHECKING:
    from collections.abc import Callable


class Listener(Protocol):
    """What is told, and asked, about the calls in between.

    Each method gets the original and must give what the original gives.
    """

    def module_call(
        self, original: Callable[..., Any], module: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run ``original(module, *args, **kwargs)``."""

    def attention_function(
        self, found: Callable[..., Any], default: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Give the attention function to be called in place of `found`, which it must call."""

    def generate_called(
        self, original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        """Run ``original(model, *args, **kwargs)``, a model's ``generate``."""

    def tokenizer_called(
        self,
        original: Callable[..., Any],
        tokenizer: Any,
        method: str,
        args: tuple[Any, ...],
        kwargs: Any,
    ) -> Any:
        """Run ``original(tokenizer, *args, **kwargs)``, a tokenizer's method."""

    def thread_started(self, original: Callable[..., Any], thread: Any) -> None:
        """Run ``original(thread)``, a thread's ``start``."""

    def future_made(self, future: Any) -> None:
        """Learn of a new future; must not raise."""


_MISSING = object()


@dataclass(frozen=True)
class Patch:
    """One attribute that was replaced, and what was there before."""

    owner: Any
    name: str
    before: Any
    placed: Any

    @classmethod
    def place(cls, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Any]) -> Patch:
        """Replace an attribute of a class, module or object by ``wrap(attribute)``."""
        before = vars(owner).get(name, _MISSING)
        placed = wrap(getattr(owner, name))
        setattr(owner, name, placed)
        return cls(owner, name, before, placed)

    def undo(self) -> None:
        """Put back what was there, unless somebody has replaced ours meanwhile.

        Theirs then stays; ours, should theirs call it, only passes calls on.
        """
        if vars(self.owner).get(self.name) is not self.placed:
            return
        if self.before is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.before)


class Interposition:
    """The replaced attributes; `ensure` adds those whose module is there by now."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._patches: dict[str, list[Patch]] = {}

    PARTS = (
        "torch",
        "transformers.modeling_utils",
        "transformers.generation.utils",
        "transformers.tokenization_utils_base",
        "threading",
        "concurrent.futures._base",
    )

    def ensure(self) -> None:
        """Put in place every part whose module has been imported; cheap when all are."""
        for name in self.PARTS:
            module = sys.modules.get(name)
            if name not in self._patches and module is not None:
                self.add(name, module)

    def add(self, name: str, module: Any) -> None:
        """Put one part in place; does nothing while its module is only half imported."""
        if name in self._patches:
            return
        if name == "torch":
            # Absent while torch is still being imported; then the import hook comes back.
            owner = getattr(getattr(module, "nn", None), "Module", None)
            if owner is not None and hasattr(module, "compiler"):
                self._patches[name] = [Patch.place(owner, "__call__", self._wrap_module)]
        elif name == "transformers.modeling_utils":
            if hasattr(module, "ALL_ATTENTION_FUNCTIONS"):
                owner = module.AttentionInterface
                self._patches[name] = [Patch.place(owner, "get_interface", self._wrap_interface)]
        elif name == "transformers.generation.utils":
            if hasattr(module, "GenerationMixin"):
                owner = module.GenerationMixin
                self._patches[name] = [Patch.place(owner, "generate", self._wrap_generate)]
        elif name == "threading":
            self._patches[name] = [Patch.place(module.Thread, "start", self._wrap_start)]
        elif name == "concurrent.futures._base":
            if hasattr(module, "Future"):
                owner = module.Future
                self._patches[name] = [Patch.place(owner, "__init__", self._wrap_future)]
        elif hasattr(module, "PreTrainedTokenizerBase"):
            owner = module.PreTrainedTokenizerBase
            self._patches[name] = [
                Patch.place(owner, method, self._wrap_tokenizer)
                for method in ("__call__", "encode", "apply_chat_template")
            ]

    def remove(self) -> None:
        """Take everything away again, the last first."""
        while self._patches:
            _, patches = self._patches.popitem()
            for patch in reversed(patches):
                patch.undo()

    def _wrap_module(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener

        @functools.wraps(original)
        @between
        def __call__(module: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            try:
                return listener.module_call(original, module, args, kwargs)
            except BaseException as error:
                hide(error)
                raise

        return __call__

    def _wrap_interface(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener

        @functools.wraps(original)
        @between
        def get_interface(interface: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                found = original(interface, *args, **kwargs)
            except BaseException as error:
                hide(error)
                raise
            default = kwargs["default"] if "default" in kwargs else args[1]
            return listener.attention_function(found, default)

        return get_interface

    def _wrap_generate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener

        @functools.wraps(original)  # Pipelines look up which arguments it takes.
        @between
        def generate(model: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                return listener.generate_called(original, model, args, kwargs)
            except BaseException as error:
                hide(error)
                raise

        return generate

    def _wrap_tokenizer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener
        name = original.__name__

        @functools.wraps(original)  # Callers look up which arguments a tokenizer takes.
        @between
        def call(tokenizer: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                return listener.tokenizer_called(original, tokenizer, name, args, kwargs)
            except BaseException as error:
                hide(error)
                raise

        return call

    def _wrap_start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener

        @functools.wraps(original)
        @between
        def start(self: Any) -> None:
            try:
                listener.thread_started(original, self)
            except BaseException as error:
                hide(error)
                raise

        return start

    def _wrap_future(self, original: Callable[..., Any]) -> Callable[..., Any]:
        listener = self._listener

        @functools.wraps(original)
        @between
        def __init__(self: Any) -> None:  # noqa: N807
            original(self)
            listener.future_made(self)

        return __init__
