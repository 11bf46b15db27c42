"""Copies a model so that a pass over the copy has no effect on the user's objects.

While attnlab makes a pass, the user's threads may write to the model, and the pass may write to it
as well: to attributes, buffers, caches. Saving and restoring these would revert what other threads
have written meanwhile. So the pass uses a copy that shares only the memory of the parameters, which
is most of a model; a pass that would write to them is stopped first (`operation_guard`).
"""

from __future__ import annotations

import functools
import types
import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import attributes
from attnlab.capture.inspection.copies import EMPTY, Copies, UncopiedError
from attnlab.capture.inspection.origin import ORIGIN
from attnlab.capture.python_internals import PYTHON_GENERATOR
from attnlab.capture.torch_internals import (
    COMPILED_CALL,
    STORES,
    original_function,
    without_torch_function,
    wrapped_module,
)

if TYPE_CHECKING:
    import torch

    from attnlab.capture.isolation.random_generators import RandomGenerators

LARGE = 1 << 20
"""Size in bytes from which a buffer is shared like parameters: quantized weights are buffers."""

ROOM = 1 << 28
"""Maximum number of bytes that are copied for one pass."""


class NotIsolatedError(BaseException):
    """The reason why a pass cannot be made without affecting the user's objects, a clause.

    It is not an `Exception`, so that the model's code does not catch it.
    """


class IsolatedModel(Copies):
    """Copies a model, and other objects that take part in a pass over it.

    Parameters
    ----------
    model
        The module that is to be called. Compiled parts are copied as they were before compilation.
    generators
        The random generators that the copies use.

    Attributes
    ----------
    model
        The copy of the model.
    shared : set of int
        Addresses of memory that the copies share with the originals.

    Raises
    ------
    NotIsolatedError
        If it contains something that cannot be copied.
    """

    def __init__(self, model: Any, generators: RandomGenerators) -> None:
        super().__init__()
        self.generators = generators
        self.shared: set[int] = set()
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._room = ROOM
        self._note_weights(model)
        self.model = self.copied(model)

    def copied(self, value: Any) -> Any:
        """Copy a model, a tokenizer, or arguments.

        Raises
        ------
        NotIsolatedError
            If something cannot be copied.
        """
        import torch

        try:
            with torch.no_grad(), without_torch_function():
                return self.of(value)
        except UncopiedError as why:
            raise NotIsolatedError(str(why)) from None
        except RecursionError:
            raise NotIsolatedError("it refers to objects that are nested too deeply") from None

    def check(self, module: Any) -> None:
        """Refuse the call of one of the user's modules within a pass.

        Raises
        ------
        NotIsolatedError
            If the module was not copied, and the call could change it.
        """
        attached = attributes(module)
        if ORIGIN in attached:
            return
        # Modules without state, e.g. nn.Softmax, are created as they are needed.
        stored = (part for store in STORES for part in attached.get(store, {}).values())
        if type(module).__module__.startswith("torch.nn.") and not any(
            part is not None for part in stored
        ):
            return
        name = type(module).__name__
        raise NotIsolatedError(f"it calls a {name} that is not a part of it")

    def special(self, value: Any, kind: type) -> Any:
        """Copy modules, tensors and random generators."""
        import torch

        if issubclass(kind, torch.nn.Module):
            return self._module(value, kind)
        if issubclass(kind, torch.Tensor):
            return self._tensor(value, kind)
        if issubclass(kind, torch.Size | torch.Generator):
            return value if kind is torch.Size else self.put(value, self.generators.copy_of(value))
        library = kind.__module__
        if library.startswith("numpy"):
            return self.put(value, self.generators.numpy_copy_of(value))
        if value is PYTHON_GENERATOR:
            return self.generators.python
        if library == "tokenizers" and kind.__name__ == "Tokenizer":
            from attnlab.capture.isolation.tokenizer_backends import copy_backend

            return self.put(value, copy_backend(value))
        return None

    def _module(self, module: Any, kind: Any) -> Any:
        import torch

        attached = attributes(module)
        if issubclass(kind, torch.jit.ScriptModule):
            raise UncopiedError(f"it contains a {kind.__name__}, a compiled TorchScript module")
        compiled = wrapped_module(attached.get("_modules", {}))
        if compiled is not None:
            return self.put(module, self.of(compiled))
        copy, container_names = self.put(module, object.__new__(kind)), _names()
        copied = {
            # Most of them are empty containers of hooks.
            name: type(part)() if _empty(part) and name in container_names else self.of(part)
            for name, part in dict(attached).items()
        }
        if copied.get(COMPILED_CALL) is not None:
            copied[COMPILED_CALL] = None
        # Methods compiled for another module would fill the compiler's small cache.
        eager = {name: types.MethodType(function, copy) for name, function in _compiled(kind)}
        vars(copy).update(eager | copied | {ORIGIN: weakref.ref(module)})
        return copy

    def _tensor(self, tensor: Any, kind: type) -> Any:
        import torch

        from attnlab.capture.inspection.plain_tensors import is_plain

        if not is_plain(tensor) or tensor.is_conj() or tensor.is_neg():
            return self._opaque(tensor, kind)
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if kind is torch.nn.Parameter:
            copy: Any = torch.nn.Parameter(tensor.data, requires_grad=tensor.requires_grad)
        elif address in self.shared:
            copy = tensor.data
        else:
            if address not in self._storages:
                self._spend(storage.nbytes())
                self._storages[address] = storage.clone()
            copy = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            copy.set_(
                self._storages[address], tensor.storage_offset(), tensor.shape, tensor.stride()
            )
        if kind is not torch.nn.Parameter and tensor.requires_grad:
            copy.requires_grad_()
        self.put(tensor, copy)
        return self._attributed(tensor, copy)

    def _opaque(self, tensor: Any, kind: type) -> Any:
        """Copy a tensor that is not plain; tensors of a subclass are shared."""
        import torch

        if kind not in (torch.Tensor, torch.nn.Parameter) or tensor.is_meta or tensor.numel() == 0:
            return tensor
        return self.put(tensor, tensor.detach().clone().requires_grad_(tensor.requires_grad))

    def _note_weights(self, model: Any) -> None:
        """Note the memory to share: that of parameters and large buffers."""
        from attnlab.capture.inspection.plain_tensors import is_plain

        large = (
            tensor for tensor in model.buffers() if is_plain(tensor) and tensor.nbytes >= LARGE
        )
        for tensor in (*model.parameters(), *large):
            if is_plain(tensor):
                self.shared.add(tensor.untyped_storage().data_ptr())

    def _spend(self, nbytes: int) -> None:
        self._room -= nbytes
        if self._room < 0:
            raise UncopiedError(
                f"it contains more than {ROOM >> 20} MiB of tensors that are neither parameters "
                "nor buffers"
            )


def _empty(value: Any) -> bool:
    return type(value) in EMPTY and not value


@functools.cache
def _names() -> frozenset[str]:
    """Return the attributes of every module that are containers."""
    import torch

    attached = attributes(torch.nn.Module())
    return frozenset(name for name, value in attached.items() if type(value) in EMPTY)


@functools.cache
def _compiled(kind: Any) -> list[tuple[str, Any]]:
    """List the methods of a class that ``torch.compile`` has wrapped, as they were before."""
    found = {
        name: original
        for base in reversed(kind.__mro__)
        for name, function in vars(base).items()
        if type(function) is types.FunctionType
        and (original := original_function(function)) is not None
    }
    return list(found.items())
