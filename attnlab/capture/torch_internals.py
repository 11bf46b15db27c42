"""All private names of PyTorch that are used, each with what depends on it.

No other module reads a name of PyTorch that begins with an underscore, except
`attnlab.capture.guards.dispatch_mode`, which derives a class. All names exist in every supported
release, from 2.9.1 on. Unless a docstring states otherwise, a name that a later release removes
raises an AttributeError; the callers report it as an error inside attnlab, and the user's model
call returns its result unchanged.

PyTorch is imported only when a function runs: attnlab never imports it before the notebook does.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    import torch

# --- modules ------------------------------------------------------------------------------

STORES = ("_parameters", "_buffers", "_modules")
"""Attributes of a module that contain its parameters, buffers and child modules, by name.

`__getattr__` of a class may compute or load something, so they are read instead. The names are
the same since PyTorch 0.1; without them, a module is taken to store nothing.
"""

COMPILED_CALL = "_compiled_call_impl"
"""Attribute of a module (since 2.1): the compiled call that ``module.compile()`` has made.

Without it, such a module is recorded as if it were not compiled.
"""


def original_module(module: Any) -> Any:
    """Return the module that ``torch.compile(module)`` wraps, since 2.0; other modules as is."""
    return getattr(module, "_orig_mod", module)


def wrapped_module(children: dict[str, Any]) -> Any | None:
    """Return the module that a compiled one wraps, given its child modules; None for others."""
    return children.get("_orig_mod")


def runs_compiled(module: Any) -> bool:
    """Whether calling this very module runs a compiled graph."""
    compiled_call = getattr(module, COMPILED_CALL, None)
    return "_orig_mod" in module._modules or compiled_call is not None


def original_function(function: Any) -> Any | None:
    """Return the function that ``torch.compile`` wrapped in another one; None for other ones.

    The attribute exists since 2.0. Without it, the compiled function is used as it is.
    """
    return vars(function).get("_torchdynamo_orig_callable")


def parameters_of(module: Any) -> Iterable[Any]:
    """List the parameters that a module itself stores, some of them None."""
    return module._parameters.values()  # type: ignore[no-any-return]


def children_of(module: Any) -> Iterable[Any]:
    """List the child modules of a module, some of them None."""
    return module._modules.values()  # type: ignore[no-any-return]


def forward_hooks(module: Any) -> list[Any]:
    """List the forward hooks and forward pre-hooks of a module."""
    return [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]


def has_global_forward_hooks() -> bool:
    """Whether hooks are registered that run in the call of every module."""
    from torch.nn.modules import module as library

    return bool(library._global_forward_hooks or library._global_forward_pre_hooks)


# --- tensors ------------------------------------------------------------------------------


def is_functorch_wrapped(tensor: torch.Tensor) -> bool:
    """Whether a tensor exists only inside a transformation of ``torch.func``, e.g. ``vmap``."""
    import torch

    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def is_zero_tensor(tensor: torch.Tensor) -> bool:
    """Whether a tensor stands for zeros that are not in memory."""
    return bool(tensor._is_zerotensor())


def version_of(tensor: torch.Tensor) -> int:
    """Count the in-place changes of a tensor; inference tensors, which have no count, raise."""
    return int(tensor._version)


def versions_of(tensors: Iterable[Any]) -> int:
    """Count the in-place changes of tensors; inference tensors, which have no count, are left out.

    Fast, since it is called for each attention call of each step of ``generate``.
    """
    import torch

    kind, count = torch.Tensor, 0
    for tensor in tensors:
        if type(tensor) is kind:
            try:
                count += tensor._version
            except RuntimeError:  # An inference tensor.
                continue
    return count


def storage_of(reference: int) -> torch.UntypedStorage | None:
    """Return the storage that a weak pointer (``StorageWeakRef.cdata``) refers to, if it exists."""
    import torch

    found: Any = torch.UntypedStorage._new_with_weak_ptr(reference)
    return found  # type: ignore[no-any-return]


def mps_generator(library: Any) -> torch.Generator:
    """Return the random generator of Apple GPUs, given ``torch.mps``."""
    return library._get_default_mps_generator()  # type: ignore[no-any-return]


# --- modes that the user has entered --------------------------------------------------------


def without_torch_function() -> AbstractContextManager[Any]:
    """Disable function modes and ``__torch_function__`` of tensor subclasses in this thread."""
    import torch

    return torch._C.DisableTorchFunction()


def without_torch_function_of_subclasses() -> AbstractContextManager[Any]:
    """Disable ``__torch_function__`` of tensor subclasses in this thread; modes stay."""
    import torch

    return torch._C.DisableTorchFunctionSubclass()


def has_dispatch_modes() -> bool:
    """Whether this thread has entered a dispatch mode."""
    import torch

    return bool(torch._C._len_torch_dispatch_stack())


def without_dispatch_modes() -> AbstractContextManager[Any]:
    """Disable the dispatch modes of this thread."""
    from torch.utils._python_dispatch import _disable_current_modes

    return _disable_current_modes()


def has_function_modes() -> bool:
    """Whether this thread has entered a function mode."""
    import torch

    return bool(torch._C._len_torch_function_stack())


def pop_function_mode() -> Any:
    """Remove the innermost function mode of this thread, without leaving it."""
    import torch

    return torch._C._pop_torch_function_stack()


def push_function_mode(mode: Any) -> None:
    """Put back a function mode that was removed."""
    import torch

    torch._C._push_on_torch_function_stack(mode)


def is_device_mode(mode: Any) -> bool:
    """Whether a function mode is that of ``with torch.device(...)``."""
    from torch.utils._device import DeviceContext

    return isinstance(mode, DeviceContext)


# --- autograd and the compiler ----------------------------------------------------------------


def in_backward_pass() -> bool:
    """Whether this thread computes gradients, e.g. repeats the forward of a checkpointed layer."""
    import torch

    return torch._C._current_graph_task_id() != -1


def compiler_callback() -> Callable[[], Any]:
    """Return a function that returns None unless PyTorch's compiler traces this thread.

    It is a built-in function, which the compiler does not trace. Where torch is not imported, or
    the function is missing, a built-in that always returns None replaces it: then models that
    are compiled while they are watched include attnlab's replacements in their graphs.
    """
    library: Any = sys.modules.get("torch")
    try:
        found: Callable[[], Any] = library._C._dynamo.eval_frame.get_eval_frame_callback
    except AttributeError:
        return [].clear
    return found


# --- operations and the dispatcher --------------------------------------------------------------


def is_operation(function: Any) -> bool:
    """Whether what a dispatch mode received is an operation with a schema, not control flow."""
    import torch

    return isinstance(function, torch._ops.OpOverload)


def schema_of(operation: Any) -> Any:
    """Return the schema of an operation: its arguments and results, and which of them alias."""
    return operation._schema


def overload_of(operation: Any) -> str:
    """Return the name of an operation's overload."""
    return str(operation._overloadname)


def is_composite(operation: Any) -> bool:
    """Whether PyTorch computes an operation by others, which autograd sees in its place."""
    import torch

    return has_kernel(operation.name(), torch._C.DispatchKey.CompositeImplicitAutograd)


def decomposed(operation: Any) -> Callable[..., Any]:
    """Return a function that computes a composite operation by its parts."""
    import torch

    return partial(operation._op_dk, torch._C.DispatchKey.CompositeImplicitAutograd)


def has_kernel(name: str, layer: Any) -> bool:
    """Whether a layer of the dispatcher has a kernel for the operation with this name."""
    import torch

    # Some operations on sizes, e.g. sym_size, are unknown to the dispatcher, which raises then.
    known = torch._C._dispatch_has_kernel(name)
    return bool(known and torch._C._dispatch_has_kernel_for_dispatch_key(name, layer))


def inference_layers() -> tuple[Any, ...]:
    """List the layers between a call in inference mode and the kernel, which modes run behind."""
    import torch

    keys = torch._C.DispatchKey
    return keys.ADInplaceOrView, keys.Conjugate, keys.Negative, keys.ZeroTensor


def autocast_layer(device: str) -> Any:
    """Return the dispatcher's layer for autocast on a type of device, e.g. ``cuda``."""
    import torch

    return getattr(torch._C.DispatchKey, f"Autocast{device.upper()}")


def layer_enabled(layer: Any) -> AbstractContextManager[Any]:
    """Enable a layer of the dispatcher in this thread."""
    import torch

    return torch._C._SetExcludeDispatchKeyGuard(layer, False)
