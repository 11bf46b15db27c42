"""The tap: sees the products and softmaxes of models outside transformers' interface.

PyTorch hands every operation, on its way to the kernel that computes it, to the dispatch
modes of the thread (https://docs.pytorch.org/docs/stable/notes/extending.html). The tap
runs it unchanged and follows, by its operands, what becomes of a product of queries with
keys: scaled, masked, through the softmax, times the values. A softmax whose result
multiplies a value is an attention; one that does not, a router's or a vocabulary's, is none.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from attnlab.capture import fused
from attnlab.capture.composites import Composites
from attnlab.capture.frames import between
from attnlab.capture.lineage import Scores, Weights
from attnlab.capture.matrix import Matrix, loosened
from attnlab.capture.mixing import derived
from attnlab.capture.operations import Operation, operation
from attnlab.capture.plain import kind_of, plain, tensors, unusual
from attnlab.capture.recorder import UnreadableError, private
from attnlab.capture.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnlab.capture.matrix import Lineage
    from attnlab.capture.recorder import Recorder

Key = tuple[tuple[int, ...], tuple[int, ...]]

MATH = "_scaled_dot_product_attention_math"

COMPOSITE = frozenset(
    {"matmul", "einsum", "softmax", "scaled_dot_product_attention", MATH, "dropout"}
)
"""Operations that inference mode hands over whole; they are taken apart as elsewhere."""

FUSED = frozenset({"_native_multi_head_attention", "_transformer_encoder_layer_fwd"})
"""Kernels that compute a whole layer: nothing of its attention can be seen."""


class Tap(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the operations of the current thread while it is entered.

    Parameters
    ----------
    recorder
        Told of every attention.

    Attributes
    ----------
    modules
        The modules that are running, the outermost first; kept by the owner.
    paused
        True while an attention function runs that is read otherwise.
    fused
        Whether a kernel ran that computes a whole layer.
    lost
        Modules whose softmax was not seen to multiply a value.
    fault
        The first error of our own.
    noise
        Place and shape of the newest random tensor of zeros and ones: dropout's.
    """

    # Control flow and the like (torch.cond) is run, and not looked into.
    supports_higher_order_operators = True

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder
        self.modules: list[Any] = [recorder.model]
        self._serials: list[int] = [0]
        self._entries = 0
        self.paused = False
        self.fused = False
        self.lost: dict[int, Any] = {}
        self.fault: Exception | None = None
        self.noise: tuple[int, tuple[int, ...]] | None = None
        self._known: dict[int, dict[Key, Lineage]] = {}
        self._composites = Composites()
        self._storages: dict[int, int] = {}
        self._unusual: dict[int, torch.Tensor] = {}
        with private():
            self._state = State(recorder.model, *recorder.projections.given)

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Let functions that a model compiles for itself, e.g. flex attention, stay compiled."""
        return True

    @between
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation as it is, and see what it did."""
        kwargs = kwargs or {}
        if not types and any(type(operand) not in PLAIN for operand in tensors(args)):
            # Their class has been asked what to do before, and is not to be asked again.
            with torch._C.DisableTorchFunctionSubclass():
                return self._ran(func, types, args, kwargs)
        return self._ran(func, types, args, kwargs)

    @between
    def _ran(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        if self.paused:
            return func(*args, **kwargs)
        own = _read(func)
        if not own.composite or types or not torch.is_inference_mode_enabled():
            result = func(*args, **kwargs)
        elif self._hides(own, args):
            return self._composites.run(func, args, kwargs, self)
        else:
            result = self._composites.run(func, args, kwargs)
        try:
            with torch._C.DisableTorchFunction():
                concerns = self._concerns(own, args, result)
            if concerns:
                with self.recorder.timed(), torch.no_grad():
                    self._saw(own, args, kwargs, result)
        except UnreadableError as why:
            self.recorder.refuse(self.modules[-1] if self.modules else None, str(why))
        except Exception as fault:  # noqa: BLE001 - ours, so it must not reach the user's call
            self.fault = self.fault or fault
        return result

    def _hides(self, own: Operation, args: tuple[Any, ...]) -> bool:
        """Whether a composite operation has parts that are to be seen."""
        if own.name not in COMPOSITE and not self._known:
            return False
        with torch._C.DisableTorchFunction():
            operands = list(tensors(args))
            if not all(map(plain, operands)):
                return False
            return own.name in COMPOSITE or any(own.data_ptr() in self._known for own in operands)

    def _concerns(self, own: Operation, args: tuple[Any, ...], result: Any) -> bool:
        """Whether an operation may begin or change what is followed; quick, as most do not."""
        self._state.saw(args, result)
        # Most products are of a layer with its parameters.
        if own.begins and (own.name != "mm" or not any(map(self.is_parameter, args[:2]))):
            return True
        if self._unusual and own.base in PRODUCTS:
            return True
        known = self._known
        if not known:
            return False
        for operand in tensors(args):
            if plain(operand) and operand.data_ptr() in known:
                return True
        output = result[0] if isinstance(result, tuple | list) and result else result
        if own.views or not plain(output):
            return False
        # Memory is used again: what was known of this place is over.
        self._forget(output.data_ptr())
        return own.writes and output.untyped_storage().data_ptr() in self._storages.values()

    def _forget(self, place: int) -> None:
        self._known.pop(place, None)
        self._storages.pop(place, None)

    @contextmanager
    def entered(self, module: Any) -> Iterator[None]:
        """Know a module as running while a block calls it."""
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
        """Tell which call it is of the last of some modules that are running."""
        return self._serials[len(modules) - 1] if modules else 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let a block's operations pass unseen."""
        paused, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = paused

    def lineage(self, tensor: Any) -> Lineage | None:
        """Tell what is known of a tensor."""
        if not plain(tensor):
            return None
        known = self._known.get(tensor.data_ptr())
        return None if known is None else known.get(_layout(tensor))

    def is_parameter(self, tensor: Any) -> bool:
        """Whether a tensor is a parameter of the model, or a view of one."""
        return self._state.holds_parameter(tensor, self.modules[-1] if self.modules else None)

    def is_given(self, tensor: Any) -> bool:
        """Whether a tensor descends from what the model was given."""
        return self._state.given(tensor)

    def is_noise(self, tensor: Any) -> bool:
        """Whether a tensor is the newest that dropout has drawn; asked once."""
        if self.noise is None or not isinstance(tensor, torch.Tensor):
            return False
        own, self.noise = (tensor.data_ptr(), tuple(tensor.shape)) == self.noise, None
        return own

    def pending(self, modules: tuple[Any, ...], product: bool) -> None:
        """Note a softmax that has yet to multiply a value, where that is to be expected.

        It is of scores, `product`, or in a module that is called an attention.
        """
        near = modules[-2:]
        if near and (product or any(ATTENTION.search(type(own).__name__) for own in near)):
            self.lost[id(near[-1])] = near[-1]

    def settle(self, modules: tuple[Any, ...]) -> None:
        """Note that the softmax of these modules has multiplied a value."""
        if modules:
            self.lost.pop(id(modules[-1]), None)

    def running(self) -> tuple[Any, ...]:
        """List the modules that are running, the outermost first."""
        return tuple(self.modules)

    def _saw(self, own: Operation, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        outputs = list(result) if isinstance(result, tuple | list) else [result]
        odd = unusual([*args, *outputs[:1]])
        # Padded texts are nested there; in a second pass they are not.
        if own.name in FUSED and (odd is None or odd.is_nested):
            self.fused = True
            return
        if odd is not None:
            self._strange(own, odd)
            return
        if own.name in fused.KERNELS:
            fused.note(self, own.name, args, kwargs, result)
            return
        followed = None
        if own.follow is not None:
            followed = own.follow(self, args, kwargs, result)
        if followed is None and plain(outputs[0]):
            followed = derived(self, own, args, outputs[0])
        if own.writes:
            self._written(args[0])
        for output, lineage in zip(
            outputs, followed if isinstance(followed, list) else [followed], strict=False
        ):
            self._keep(own, output, lineage)

    def _keep(self, own: Operation, output: Any, lineage: Lineage | None) -> None:
        """Remember what is known of a result."""
        if not plain(output):
            return
        if not own.views:
            # Memory is used again: what was known of this place is over.
            self._forget(output.data_ptr())
        if lineage is None:
            return
        self._known.setdefault(output.data_ptr(), {})[_layout(output)] = lineage
        self._storages[output.data_ptr()] = output.untyped_storage().data_ptr()
        while len(self._known) > KEPT:
            self._forget(next(iter(self._known)))

    def _written(self, tensor: Any) -> None:
        """Know that numbers were changed in place, be it through a view of a part of them."""
        if not plain(tensor):
            return
        storage = tensor.untyped_storage().data_ptr()
        for place, known in self._known.items():
            if self._storages.get(place) == storage:
                for layout, lineage in known.items():
                    if isinstance(lineage, Scores | Weights | Matrix):
                        known[layout] = loosened(lineage)

    def _strange(self, own: Operation, odd: torch.Tensor) -> None:
        """Note an attention over tensors that are not followed."""
        module = self.modules[-1] if self.modules else self.recorder.model
        if own.name in FUSED | fused.KERNELS | {MATH}:
            self.recorder.refuse(module, f"it attends over {kind_of(odd)}, which are not followed")
        elif own.base in SOFTMAX:
            self._unusual[id(module)] = odd
        elif own.base in PRODUCTS and id(module) in self._unusual:
            kind = kind_of(self._unusual.pop(id(module)))
            self.recorder.refuse(module, f"it attends over {kind}, which are not followed")


PLAIN = (torch.Tensor, torch.nn.Parameter)

ATTENTION = re.compile("att(ention|n)", re.IGNORECASE)
"""How attention modules are called."""

PRODUCTS = frozenset({"bmm", "mm", "matmul", "einsum"})

SOFTMAX = frozenset({"_softmax", "_safe_softmax", "softmax"})

KEPT = 48
"""Places in memory that are followed at once; the newest."""


@cache
def _read(func: Any) -> Operation:
    return operation(func, FUSED | fused.KERNELS | {MATH})


def _layout(tensor: torch.Tensor) -> Key:
    return tuple(tensor.shape), tuple(tensor.stride())
