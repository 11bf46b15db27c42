"""The tap: finds the products and softmaxes of models outside transformers' interface.

PyTorch passes every operation, before the kernel that computes it, to the dispatch modes of the
thread (https://docs.pytorch.org/docs/stable/notes/extending.html). The tap runs the operation
unchanged and follows, by its operands, a product of queries with keys: scaled, masked, through
the softmax, times the values. A softmax whose result multiplies values is an attention; that of a
router or of a vocabulary is not.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from attnlab.capture.guards.dispatch_mode import DispatchMode
from attnlab.capture.guards.frames import hidden_frame
from attnlab.capture.guards.modes import without_user_modes
from attnlab.capture.guards.user_call import UserCall, without_traceback
from attnlab.capture.inspection.plain_tensors import first_unusual, is_plain, kind_of, tensors
from attnlab.capture.inspection.storage import StorageRef
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.tap import attention_kernels
from attnlab.capture.tap.composites import Composites
from attnlab.capture.tap.elementwise import derived
from attnlab.capture.tap.followed import FollowedTensors
from attnlab.capture.tap.operation_table import lookup
from attnlab.capture.tap.tensor_origins import TensorOrigins
from attnlab.capture.torch_internals import (
    without_torch_function,
    without_torch_function_of_subclasses,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.reading.attention_recorder import AttentionRecorder
    from attnlab.capture.tap.matrix import Lineage
    from attnlab.capture.tap.operation import Operation

MATH = "_scaled_dot_product_attention_math"

COMPOSITE = frozenset(
    {"matmul", "einsum", "softmax", "scaled_dot_product_attention", MATH, "dropout"}
)
"""Operations that are not decomposed in inference mode; the tap decomposes them."""

FUSED = frozenset({"_native_multi_head_attention", "_transformer_encoder_layer_fwd"})
"""Kernels that compute a whole layer: nothing of its attention can be seen."""


class Tap(DispatchMode):  # type: ignore[no-untyped-call]
    """Follows the operations of the current thread while it is entered.

    Parameters
    ----------
    recorder
        Records every attention.

    Attributes
    ----------
    modules
        The running modules, the outermost first; updated by the owner.
    paused
        True while an attention function runs whose arguments are read.
    fused
        Whether a kernel ran that computes a whole layer.
    lost
        Modules whose softmax was not followed to a product with values.
    fault
        The first error inside attnlab.
    noise
        Memory and shape of the newest random tensor of zeros and ones: dropout's.
    """

    def __init__(self, recorder: AttentionRecorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.modules: list[Any] = [recorder.model]
        self._serials: list[int] = [0]
        self._entries = 0
        self.paused = False
        self.fused = False
        self.lost: dict[int, Any] = {}
        self.fault: Exception | None = None
        self.noise: tuple[StorageRef, tuple[int, ...]] | None = None
        self._followed = FollowedTensors()
        self._composites = Composites()
        self._unusual: dict[int, tuple[Any, str]] = {}
        with without_user_modes():
            self._origins = TensorOrigins(recorder.model, *recorder.projections.given)

    @hidden_frame
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation unchanged, and note what it did."""
        kwargs = kwargs or {}
        call = UserCall(func)
        try:
            try:
                return self._dispatched(call, types, args, kwargs)
            except BaseException as error:
                if not call.recovers_from(error):
                    raise
                self.fault = self.fault or without_traceback(error)  # type: ignore[arg-type]
            return call.finish(*args, **kwargs)
        finally:
            call.release()

    @hidden_frame
    def _dispatched(self, call: UserCall, types: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        if not types and any(type(operand) not in PLAIN for operand in tensors(args)):
            # `__torch_function__` of their class was called before, and must not be called again.
            with without_torch_function_of_subclasses():
                return self._ran(call, types, args, kwargs)
        return self._ran(call, types, args, kwargs)

    @hidden_frame
    def _ran(self, call: UserCall, types: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        if self.paused:
            return call(*args, **kwargs)
        operation = _read(call.original)
        if not operation.composite or types or not torch.is_inference_mode_enabled():
            result = call(*args, **kwargs)
        elif self._hides(operation, args):
            return self._composites.run(call, args, kwargs, self)
        else:
            result = self._composites.run(call, args, kwargs)
        try:
            with without_torch_function():
                concerns = self._concerns(operation, args, result)
            if concerns:
                with self.recorder.timed(), torch.no_grad():
                    self._saw(operation, args, kwargs, result)
        except UnreadableError as why:
            self.recorder.refuse(self.modules[-1] if self.modules else None, str(why))
        except Exception as fault:  # noqa: BLE001 - must not affect the user's call
            self.fault = self.fault or fault
        return result

    def _hides(self, operation: Operation, args: tuple[Any, ...]) -> bool:
        """Whether a composite operation has parts that must be seen."""
        if operation.name not in COMPOSITE and not self._followed:
            return False
        with without_torch_function():
            operands = list(tensors(args))
            if not all(map(is_plain, operands)):
                return False
            return operation.name in COMPOSITE or any(
                operand in self._followed for operand in operands
            )

    def _concerns(self, operation: Operation, args: tuple[Any, ...], result: Any) -> bool:
        """Whether an operation may begin or change what is followed; fast, as most do not."""
        self._origins.saw(args, result)
        # Most products are those of a layer with its parameters.
        if operation.begins and (
            operation.name != "mm" or not any(map(self.is_parameter, args[:2]))
        ):
            return True
        if self._unusual and operation.base in PRODUCTS:
            return True
        followed = self._followed
        if not followed:
            return False
        for operand in tensors(args):
            if is_plain(operand) and operand in followed:
                return True
        output = result[0] if isinstance(result, tuple | list) and result else result
        if operation.views or not is_plain(output):
            return False
        # Memory is reused: what was known of this address is outdated.
        followed.forget(output)
        return operation.writes and followed.has_memory_of(output)

    @contextmanager
    def entered(self, module: Any) -> Iterator[None]:
        """Note a module as running while a block calls it."""
        self.modules.append(module)
        self._entries += 1
        self._serials.append(self._entries)
        self._composites.enter()
        try:
            yield
        finally:
            self._composites.leave()
            self.modules.pop()
            self._serials.pop()

    def serial(self, modules: tuple[Any, ...]) -> int:
        """Return the number of the call of the last of some running modules."""
        return self._serials[len(modules) - 1] if modules else 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Ignore the operations of a block."""
        paused, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = paused

    def lineage(self, tensor: Any) -> Lineage | None:
        """Return what is known of a tensor."""
        return self._followed.get(tensor) if is_plain(tensor) else None

    def is_parameter(self, tensor: Any) -> bool:
        """Whether a tensor is a parameter of the model, or a view of one."""
        return self._origins.holds_parameter(tensor, self.modules[-1] if self.modules else None)

    def is_given(self, tensor: Any) -> bool:
        """Whether a tensor was computed from the model's arguments."""
        return self._origins.given(tensor)

    def is_noise(self, tensor: Any) -> bool:
        """Whether a tensor is the newest random tensor of dropout; True only once."""
        if self.noise is None or not isinstance(tensor, torch.Tensor):
            return False
        (reference, shape), self.noise = self.noise, None
        return is_plain(tensor) and reference == StorageRef(tensor) and tuple(tensor.shape) == shape

    def pending(self, modules: tuple[Any, ...], product: bool) -> None:
        """Note a softmax that has yet to multiply values, if that is to be expected.

        That is the case for a softmax of scores, `product`, or in a module that is named attention.
        """
        near = modules[-2:]
        if near and (product or any(ATTENTION.search(type(module).__name__) for module in near)):
            self.lost[id(near[-1])] = near[-1]

    def settle(self, modules: tuple[Any, ...]) -> None:
        """Note that the softmax of these modules has multiplied values."""
        if modules:
            self.lost.pop(id(modules[-1]), None)

    def running(self) -> tuple[Any, ...]:
        """List the running modules, the outermost first."""
        return tuple(self.modules)

    def _saw(self, operation: Operation, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        outputs = list(result) if isinstance(result, tuple | list) else [result]
        odd = first_unusual([*args, *outputs[:1]])
        # Padded texts are nested tensors there; in a second pass they are not.
        if operation.name in FUSED and (odd is None or odd.is_nested):
            self.fused = True
            return
        if odd is not None:
            self._strange(operation, odd)
            return
        if operation.name in attention_kernels.KERNELS:
            attention_kernels.note(self, operation.name, args, kwargs, result)
            return
        followed = None
        if operation.follow is not None:
            followed = operation.follow(self, args, kwargs, result)
        if followed is None and is_plain(outputs[0]):
            followed = derived(self, operation, args, outputs[0])
        if operation.writes and is_plain(args[0]):
            self._followed.changed(args[0])
        for output, lineage in zip(
            outputs, followed if isinstance(followed, list) else [followed], strict=False
        ):
            if is_plain(output):
                self._followed.put(output, lineage, view=operation.views)

    def _strange(self, operation: Operation, odd: torch.Tensor) -> None:
        """Note an attention over tensors that are not followed."""
        module = self.modules[-1] if self.modules else self.recorder.model
        if operation.name in FUSED | attention_kernels.KERNELS | {MATH}:
            self.recorder.refuse(module, f"it attends over {kind_of(odd)}, which are not supported")
        elif operation.base in SOFTMAX:
            # The module is kept, so that no other object gets its id.
            self._unusual[id(module)] = (module, kind_of(odd))
        elif operation.base in PRODUCTS and id(module) in self._unusual:
            _, kind = self._unusual.pop(id(module))
            self.recorder.refuse(module, f"it attends over {kind}, which are not supported")


PLAIN = (torch.Tensor, torch.nn.Parameter)

ATTENTION = re.compile("att(ention|n)", re.IGNORECASE)
"""Names of attention modules' classes."""

PRODUCTS = frozenset({"bmm", "mm", "matmul", "einsum"})

SOFTMAX = frozenset({"_softmax", "_safe_softmax", "softmax"})


@cache
def _read(func: Any) -> Operation:
    return lookup(func, FUSED | attention_kernels.KERNELS | {MATH})
