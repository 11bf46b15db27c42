"""Reads one call at transformers' attention interface into the terms of its weights.

The models of transformers call ``fn(module, query, key, value, mask, scaling=…, …)``
(https://huggingface.co/docs/transformers/attention_interface). Which terms take part depends on
the function: ``sdpa`` treats a missing mask as causal if the module is causal, and takes no sinks;
``eager`` adds the mask and nothing else; ``flash`` masks padding itself. So the function's kind is
determined first.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.attributes import stored
from attnlab.capture.reading.errors import UnreadableError
from attnlab.capture.record.terms import Bias, Causal, Mask, Scale, Softcap, Term, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from attnlab.capture.reading.attention_recorder import AttentionRecorder


UNKNOWN = (
    "the attention function {name} does not compute softmax attention from its arguments alone"
)


def of_the_library(function: Any) -> bool:
    """Whether an attention function belongs to transformers, whatever its name is.

    The module of its code decides, not its ``__module__``, which a decorator copies.
    """
    while isinstance(function, FunctionType | partial):
        if isinstance(function, partial):
            if function.args:
                return False
            function = function.func
            continue
        home = str(function.__globals__.get("__name__", "")).partition(".")[0]
        if home == "transformers":
            return True
        # PyTorch wraps functions that must not be compiled.
        if home != "torch" or "__wrapped__" not in vars(function):
            return False
        function = vars(function)["__wrapped__"]
    return False


def note(
    recorder: AttentionRecorder,
    function: Callable[..., Any],
    default: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: Any,
) -> None:
    """Note what the weights depend on; called right after the attention function returned.

    Raises
    ------
    UnreadableError
        If the weights do not follow from the arguments.
    """
    import torch

    with recorder.timed(), torch.no_grad():
        while isinstance(function, partial) and not function.args:
            kwargs = {**function.keywords, **kwargs}
            function = function.func
        given = _named(args, kwargs)
        _check(given)
        InterfaceCall(recorder, function, function is default, given).note(result)


class InterfaceCall:
    """One call, interpreted by the kind of its function."""

    def __init__(
        self,
        recorder: AttentionRecorder,
        function: Callable[..., Any],
        eager: bool,
        given: dict[str, Any],
    ) -> None:
        known = of_the_library(function)
        name = getattr(function, "__name__", "") if isinstance(function, FunctionType) else ""
        self.recorder, self.eager, self.given = recorder, eager, given
        self.sdpa = known and name.startswith("sdpa")
        self.flash = known and name.startswith("flash")
        self.caveat = "" if known else UNKNOWN.format(name=name or type(function).__name__)
        self.module, self.query, self.key = given["module"], given["query"], given["key"]
        self.heads, self.queries = int(self.query.shape[1]), int(self.query.shape[2])
        self.keys = int(self.key.shape[2])

    def note(self, result: Any) -> None:
        """Pass everything to the recorder."""
        flag = self.given.get("is_causal")
        flag = stored(self.module, "is_causal") if flag is None else flag
        self.recorder.kept.begin(self.module, self.query, self.key, self.given["value"])
        terms = self._terms(flag)
        rows, output, doubt = self._output(result)
        if flag is None and any(isinstance(term, Causal) for term in terms):
            flag = True
        self.recorder.note(
            self.module,
            None if flag is None else bool(flag),
            "interface",
            query=self.query,
            key=self.key,
            value=self.given["value"],
            terms=terms,
            sinks=None if self.sdpa else self._sinks(),
            rows=rows,
            output=output,
            doubt=doubt,
            caveat=self.caveat,
        )

    def _terms(self, flag: Any) -> list[Term]:
        given, shared = self.given, self.recorder.kept.shared
        scale = given.get("scaling")
        terms: list[Term] = [Scale(float(scale) if scale is not None else self._scale())]
        if given.get("softcap") is not None and not self.sdpa:
            terms.append(Softcap(float(given["softcap"])))
        if given.get("position_bias") is not None:
            terms.append(Bias(shared(given["position_bias"], self.keys)))
        mask = self._mask()
        if mask is not None:
            terms.append(Mask(shared(mask, self.keys)))
        if given.get("indices") is not None and not (self.eager or self.sdpa):
            terms.append(Mask(shared(self._selected(given["indices"]), self.keys)))
        # Eager functions have no causal flag: they are always given a mask.
        causal = not self.eager and self.queries > 1 and (flag is None or bool(flag))
        # Flash kernels align the last query with the last key; sdpa aligns the first ones.
        offset = self.keys - self.queries if self.flash else 0
        if causal and (self.flash or mask is None):
            terms.append(Causal(offset))
        if self.flash and given.get("sliding_window") is not None:
            terms.append(Window(int(given["sliding_window"]), offset))
        return terms

    def _mask(self) -> torch.Tensor | None:
        import torch

        mask = self.given.get("attention_mask")
        if mask is None:
            return None
        if not isinstance(mask, torch.Tensor):
            return _dense(mask, int(self.query.shape[0]), self.heads, self.queries, self.keys)
        if self.flash and mask.ndim == 2:
            return mask.bool()[:, None, None, :]
        if self.eager and mask.dtype == torch.bool:
            return mask.to(self.query.dtype)  # eager functions add their mask, whatever its dtype
        return mask

    def _selected(self, indices: torch.Tensor) -> torch.Tensor:
        """Return a mask for the keys that each query selects, (items, queries, selected)."""
        shape = (int(indices.shape[0]), self.queries, self.keys)
        chosen = indices.new_zeros(shape, dtype=self.query.dtype).bool()
        return chosen.scatter(-1, indices.long(), True)[:, None]

    def _scale(self) -> float:
        """Return the scale of a call without one; eager functions may use the module's instead."""
        scaling = stored(self.module, "scaling") if self.eager else None
        return (
            float(scaling)
            if isinstance(scaling, int | float)
            else float(self.query.shape[-1]) ** -0.5
        )

    def _sinks(self) -> torch.Tensor | None:
        sinks = self.given.get("s_aux")
        sinks = self.given.get("sinks") if sinks is None else sinks
        sinks = stored(self.module, "sinks") if sinks is None else sinks
        if sinks is None or sinks.numel() != self.heads:
            return None
        return self.recorder.kept.copy(sinks.reshape(1, self.heads))[0]

    def _output(self, result: Any) -> tuple[tuple[int, ...], torch.Tensor | None, str]:
        """Copy some rows of the kernel's output, or explain why they would confirm nothing."""
        from attnlab.capture.inspection.plain_tensors import is_plain

        output = result[0] if isinstance(result, tuple) and result else result
        width = int(self.given["value"].shape[3])
        shape = tuple(output.shape) if is_plain(output) else ()
        known = ((self.queries, self.heads, width), (self.queries, self.heads * width))
        if shape[1:] not in known:
            return (), None, f"the attention function returned a tensor of shape {shape}"
        # Eager functions also check the module, the others only the argument.
        training = not self.eager or stored(self.module, "training") is not False
        if self.given.get("dropout") and training:
            return (), None, "dropout was active: the weights are those before dropout"
        whole = output.detach().reshape(shape[0], self.queries, self.heads, width)
        return *self.recorder.kept.rows(whole), ""


def _named(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = ("module", "query", "key", "value", "attention_mask")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    missing = [name for name in names[:4] if name not in given]
    if missing:
        raise UnreadableError(f"it is called without {', '.join(missing)}")
    return given


def _check(given: dict[str, Any]) -> None:
    """Refuse calls that are not made of plain tensors."""
    import torch

    from attnlab.capture.inspection.plain_tensors import is_plain, kind_of

    if given.get("cache") is not None:
        raise UnreadableError("it reads its keys from a paged cache")
    for name in ("query", "key", "value"):
        tensor = given[name]
        if not isinstance(tensor, torch.Tensor):
            raise UnreadableError(f"its {name} is a {type(tensor).__name__}, not a tensor")
        if not is_plain(tensor):
            raise UnreadableError(f"it attends over {kind_of(tensor)}, which are not supported")
        if tensor.ndim != 4:
            raise UnreadableError(f"its {name} has {tensor.ndim} axes, not 4")
    heads, groups = given["query"].shape[1], given["key"].shape[1]
    if heads % groups:
        raise UnreadableError(
            f"its {heads} query heads are not a multiple of its {groups} key heads"
        )


def _dense(mask: Any, batch: int, heads: int, queries: int, keys: int) -> torch.Tensor:
    """Compute the mask of flex attention, which is a function."""
    from torch.nn.attention.flex_attention import BlockMask, create_mask

    if not isinstance(mask, BlockMask):
        raise UnreadableError(f"its mask is a {type(mask).__name__}, not a tensor")
    return create_mask(
        mask.mask_mod, batch, heads, queries, keys, device=str(mask.kv_indices.device)
    )
