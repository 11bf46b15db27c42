"""Reads one call of an attention function into the terms that its weights follow from.

The models of transformers call ``fn(module, query, key, value, mask, scaling=…, …)``
(https://huggingface.co/docs/transformers/attention_interface). Which terms take part
differs by function: ``sdpa`` reads a missing mask as causal where the module is, and
takes no sinks; ``eager`` adds what it is given and nothing else; ``flash`` masks padding by
itself. So the function's kind is read first.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from attnlab.capture.records import Kind, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

CERTIFIED_ROWS = 6
"""How many rows of the kernel's output are kept to check the weights against."""

CROSS = re.compile(r"cross|encdec|enc_dec|encoder_attn", re.IGNORECASE)


class UnreadableError(Exception):
    """An attention call whose weights do not follow from its arguments; says why."""


@dataclass
class Noted:
    """An attention call as it was made, before its module's place in the model is known."""

    module: Any
    causal: bool
    """Whether the module is causal, be that by a flag or by its mask."""
    terms: dict[str, Any]


@dataclass
class Reader:
    """Reads the attention calls of one forward pass.

    Layers hand the same mask and the same bias to every call: one copy serves all.
    """

    noted: list[Noted] = field(default_factory=list)
    batch: int = 1
    seconds: float = 0.0
    """Time spent in here, on the user's thread."""
    _copies: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def note(
        self,
        function: Callable[..., Any],
        default: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        """Copy what the weights need; called right after the attention function returned.

        Raises
        ------
        UnreadableError
            When the weights do not follow from the arguments.
        """
        import torch

        began = time.perf_counter()
        try:
            with torch.no_grad():
                self.noted.append(self._read(function, default, _named(args, kwargs), result))
        finally:
            self.seconds += time.perf_counter() - began

    def _read(
        self,
        function: Callable[..., Any],
        default: Callable[..., Any],
        given: dict[str, Any],
        result: Any,
    ) -> Noted:
        import torch

        module, query, key, value = (given[name] for name in ("module", "query", "key", "value"))
        _check(given)
        self.batch = max(self.batch, int(query.shape[0]))
        queries, keys = int(query.shape[2]), int(key.shape[2])
        heads = int(query.shape[1])
        eager = function is default
        name = getattr(function, "__name__", "")
        sdpa = name.startswith("sdpa")
        flash = name.startswith("flash")

        flag = given.get("is_causal")
        flag = getattr(module, "is_causal", None) if flag is None else flag
        mask = given.get("attention_mask")
        if mask is not None and not isinstance(mask, torch.Tensor):
            mask = _dense(mask, int(query.shape[0]), heads, queries, keys)
        elif flash and mask is not None and mask.ndim == 2:
            mask = mask.bool()[:, None, None, :]
        elif eager and mask is not None and mask.dtype == torch.bool:
            mask = mask.to(query.dtype)  # eager functions add their mask, whatever it holds

        # Eager functions know no causal flag: they are always given a mask.
        causal = not eager and queries > 1 and (flag is None or bool(flag))
        if not flash:
            causal = causal and mask is None
        scale = given.get("scaling")
        terms: dict[str, Any] = {
            "query": _copy(query[0]),
            "key": _copy(key[0]),
            "value": _copy(value[0]),
            "scale": float(scale) if scale is not None else _scale(module, query, eager),
            "softcap": None if sdpa else given.get("softcap"),
            "bias": self._shared(given.get("position_bias"), keys),
            "mask": self._shared(mask, keys),
            "causal": causal,
            # Flash kernels align the last query with the last key; sdpa the first with the first.
            "offset": keys - queries if flash else 0,
            "window": given.get("sliding_window") if flash else None,
            "sinks": None if sdpa else _sinks(module, given, heads),
        }
        rows, output, doubt = _kept(result, module, eager, given, terms)
        terms |= {"rows": rows, "output": output, "doubt": doubt}
        if flag is None:
            flag = causal or _triangular(terms["mask"], queries, keys)
        return Noted(module, bool(flag), terms)

    def _shared(self, tensor: torch.Tensor | None, keys: int) -> torch.Tensor | None:
        """Copy the first item of a mask or bias, or find the copy made for an earlier layer."""
        if tensor is None:
            return None
        # Inference tensors keep no version; nothing changes them in place either.
        version = 0 if tensor.is_inference() else tensor._version
        name = (id(tensor), version)
        if name not in self._copies:
            item = tensor
            while item.ndim < 4:
                item = item[None]
            # The original is held as well, so that its id stays its own.
            self._copies[name] = (tensor, _copy(item[0]))
        return self._copies[name][1][..., :keys]

    def records(self, model: Any) -> list[Record]:
        """All attention calls of the pass, in order, with their places in `model`."""
        paths = {id(module): path for path, module in model.named_modules()}
        kinds = [_kind(noted, paths.get(id(noted.module), "")) for noted in self.noted]
        layers = _layers(self.noted, kinds)
        return [
            Record(
                name=paths.get(id(noted.module)) or type(noted.module).__name__,
                kind=kind,
                layer=layer,
                **noted.terms,
            )
            for noted, kind, layer in zip(self.noted, kinds, layers, strict=True)
        ]


def _named(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = ("module", "query", "key", "value", "attention_mask")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    missing = [name for name in names[:4] if name not in given]
    if missing:
        raise UnreadableError(f"it is called without {', '.join(missing)}")
    return given


def _check(given: dict[str, Any]) -> None:
    """Refuse what the formula of `traces.weights` does not cover."""
    import torch

    if given.get("cache") is not None:
        raise UnreadableError("it reads its keys from a paged cache")
    if given.get("indices") is not None:
        raise UnreadableError("it attends to a selection of keys (sparse attention)")
    for name in ("query", "key", "value"):
        tensor = given[name]
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            raise UnreadableError(f"its {name} is a {type(tensor).__name__}, not a plain tensor")
        if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            raise UnreadableError(f"its {name} is inside a torch.func transformation")
        if tensor.ndim != 4:
            raise UnreadableError(f"its {name} has {tensor.ndim} axes, not 4")
        if tensor.is_meta:
            raise UnreadableError("it runs on the meta device, which holds no numbers")
    heads, groups = given["query"].shape[1], given["key"].shape[1]
    if heads % groups:
        raise UnreadableError(f"its {heads} heads are no multiple of its {groups} key heads")


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _scale(module: Any, query: torch.Tensor, eager: bool) -> float:
    """Scale of a call that names none; eager functions may read the module's instead."""
    own = getattr(module, "scaling", None) if eager else None
    return float(own) if isinstance(own, int | float) else float(query.shape[-1]) ** -0.5


def _sinks(module: Any, given: dict[str, Any], heads: int) -> torch.Tensor | None:
    sinks = given.get("s_aux")
    sinks = given.get("sinks") if sinks is None else sinks
    sinks = getattr(module, "sinks", None) if sinks is None else sinks
    if sinks is None or sinks.numel() != heads:
        return None
    return _copy(sinks.reshape(heads))


def _dense(mask: Any, batch: int, heads: int, queries: int, keys: int) -> torch.Tensor:
    """Write out flex attention's mask, which is a function."""
    from torch.nn.attention.flex_attention import BlockMask, create_mask

    if not isinstance(mask, BlockMask):
        raise UnreadableError(f"its mask is a {type(mask).__name__}, not a tensor")
    return create_mask(
        mask.mask_mod, batch, heads, queries, keys, device=str(mask.kv_indices.device)
    )


def _kept(
    result: Any, module: Any, eager: bool, given: dict[str, Any], terms: dict[str, Any]
) -> tuple[tuple[int, ...], torch.Tensor | None, str]:
    """Keep some rows of the kernel's own output, or say why they would confirm nothing."""
    output = result[0] if isinstance(result, tuple) and result else result
    query, value = terms["query"], terms["value"]
    heads, queries, width = query.shape[0], query.shape[1], value.shape[2]
    shape = tuple(getattr(output, "shape", ()))
    if shape[1:] not in ((queries, heads, width), (queries, heads * width)):
        return (), None, f"the attention function returned a tensor of shape {shape}"
    # Eager functions ask the module as well, the others only the argument.
    if given.get("dropout") and (not eager or getattr(module, "training", True)):
        return (), None, "dropout was active: the weights are those before dropout"
    rows = tuple(
        sorted({queries * i // CERTIFIED_ROWS for i in range(CERTIFIED_ROWS)} | {queries - 1})
    )
    kept = output[0].detach()[list(rows)].reshape(len(rows), heads, width)
    return rows, _copy(kept), ""


def _triangular(mask: torch.Tensor | None, queries: int, keys: int) -> bool:
    """Whether a mask hides from the first query all but the first key of a square."""
    if mask is None or queries < 2 or queries != keys or mask.shape[-2] != queries:
        return False
    row = mask[0, 0]
    open_ = row if not row.dtype.is_floating_point else row > -1e4
    return not bool(open_[1:].any())


def _kind(noted: Noted, path: str) -> Kind:
    query, key = noted.terms["query"], noted.terms["key"]
    # Only the nearest names: a whole model may be called a cross-encoder.
    name = " ".join([*path.split(".")[-2:], type(noted.module).__name__])
    if getattr(noted.module, "is_cross_attention", False) or CROSS.search(name):
        return "cross"
    if noted.causal:
        return "decoder"
    return "cross" if query.shape[1] != key.shape[1] else "encoder"


def _layers(noted: list[Noted], kinds: list[Kind]) -> list[int]:
    """Give the layers numbers: as the modules do where that is consistent, else by order."""
    layers = [0] * len(noted)
    for kind in ("encoder", "decoder", "cross"):
        places = [place for place, own in enumerate(kinds) if own == kind]
        given = [getattr(noted[place].module, "layer_idx", None) for place in places]
        numbers = [number for number in given if isinstance(number, int)]
        rising = all(a < b for a, b in pairwise(numbers))
        told = rising and len(numbers) == len(places)
        for order, place in enumerate(places):
            layers[place] = numbers[order] if told else order
    return layers
