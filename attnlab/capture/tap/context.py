"""The interface of the tap for the rules of single operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from attnlab.capture.inspection.storage import StorageRef
    from attnlab.capture.reading.attention_recorder import AttentionRecorder
    from attnlab.capture.tap.matrix import Lineage


class TapContext(Protocol):
    """Knows the tensors of a pass.

    Attributes
    ----------
    recorder
        Records every attention.
    modules
        The running modules, the outermost first.
    noise
        Memory and shape of the newest random tensor of zeros and ones: dropout's.
    """

    recorder: AttentionRecorder
    modules: list[Any]
    noise: tuple[StorageRef, tuple[int, ...]] | None

    def lineage(self, tensor: Any) -> Lineage | None:
        """Return what is known of a tensor."""

    def is_parameter(self, tensor: Any) -> bool:
        """Whether a tensor is a parameter of the model, or a view of one."""

    def is_given(self, tensor: Any) -> bool:
        """Whether a tensor was computed from the model's arguments."""

    def is_noise(self, tensor: Any) -> bool:
        """Whether a tensor is the newest random tensor of dropout; True only once."""

    def pending(self, modules: tuple[Any, ...], product: bool) -> None:
        """Note a softmax that has yet to multiply values."""

    def settle(self, modules: tuple[Any, ...]) -> None:
        """Note that the softmax of these modules has multiplied values."""

    def running(self) -> tuple[Any, ...]:
        """List the running modules, the outermost first."""

    def serial(self, modules: tuple[Any, ...]) -> int:
        """Return the number of the call of the last of some running modules."""
