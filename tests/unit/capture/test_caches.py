"""Caches are found by class, wherever they are, without running code of the user's objects."""

from __future__ import annotations

import dataclasses
from collections import UserDict
from typing import Any

import numpy
import pytest
import torch
import transformers

from attnlab.capture.feed.caches import caches, copied
from attnlab.capture.inspection.contents import entry, leaves
from attnlab.capture.inspection.copies import UncopiedError
from tests.unit.tiny_models import ids, llama, t5
from tests.unit.watching import only, unnoticed

MANY = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}


class OwnCache:
    """A cache that shares no class with those of transformers."""

    def __init__(self) -> None:
        self.keys: Any = None

    def update(self, keys: Any) -> None: ...

    def get_seq_length(self) -> int:
        return 0


class State:
    """An object that contains tensors: a call may change them."""

    array: Any
    module: Any
    generator: Any

    def __init__(self) -> None:
        self.inner = {"rows": [torch.zeros(2)]}


@dataclasses.dataclass
class Output:
    """A result of a user's model."""

    logits: Any
    memory: Any


class Touchy:
    """Raises as soon as any of its attributes or methods is used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")

    @property
    def shape(self) -> Any:
        raise AssertionError("shape was read")

    keys = values = items = update = data = past_key_values = cache = ndim = __len__ = shape
    __class__ = shape


def first_keys(cache: Any) -> Any:
    """Return the keys in the first layer of a cache, which mypy does not know to have any."""
    return cache.layers[0].keys


def filled() -> transformers.DynamicCache:
    cache = transformers.DynamicCache()
    cache.update(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4), 0)
    return cache


@pytest.mark.parametrize("make", [transformers.DynamicCache, filled, OwnCache, State])
@pytest.mark.parametrize(
    "put",
    [
        lambda value: value,
        lambda value: (torch.ones(1), value),
        lambda value: {"any name": [value]},
        lambda value: UserDict({"x": value}),
        lambda value: Output(torch.ones(1), value),
        lambda value: transformers.modeling_outputs.BaseModelOutput(hidden_states=(value,)),
    ],
    ids=["bare", "in a tuple", "in a mapping", "in a UserDict", "in a data class", "in an output"],
)
def test_a_cache_is_found_wherever_it_is(make, put):
    cache = make()
    assert [id(found) for found in caches(put(cache))] == [id(cache)]


@pytest.mark.parametrize(
    "value",
    [
        None,
        torch.ones(2),
        {"ids": [torch.ones(2)], "text": "a"},
        transformers.BatchEncoding({"input_ids": torch.ones(1, 2)}),
        transformers.LlamaConfig(),
        transformers.GenerationConfig(),
        torch.nn.Linear(1, 1),
        torch.Generator(),
        print,
        transformers.DynamicCache,
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_that_a_call_does_not_fill_are_not_caches(value):
    assert caches(value, [value]) == []


def test_searching_for_caches_runs_no_code_of_the_user():
    cache = Touchy()
    assert caches(cache, {"x": (cache,)}, Output(cache, cache)) == []
    assert sum(leaf is cache for leaf in leaves([cache, cache])) == 1
    assert entry(cache, "sequences") is None


def test_an_object_that_refers_to_itself_is_visited_once():
    params: dict[str, Any] = {"cache": filled()}
    params["self"] = [params]
    assert len(caches(params)) == 1


def test_a_copy_is_filled_separately_and_shares_everything_but_the_cache():
    cache, tokens = filled(), torch.ones(1, 3)
    first_keys(cache).requires_grad_()
    args, kwargs = copied((tokens, cache), {"again": [cache, tokens]})
    assert args[0] is tokens
    assert kwargs["again"][1] is tokens
    assert args[1] is kwargs["again"][0]
    assert args[1] is not cache
    args[1].update(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), 0)
    assert cache.get_seq_length() == 3


def test_a_cache_with_a_history_of_gradients_is_copied_without_it():
    cache = transformers.DynamicCache()
    grown = torch.ones(1, 2, 3, 4, requires_grad=True) * 2
    cache.update(grown, grown, 0)
    (twin,), _ = copied((cache,), {})
    assert torch.equal(first_keys(twin), first_keys(cache))
    assert not first_keys(twin).requires_grad


def test_a_cache_is_copied_without_calling_its_methods():
    class Stubborn(OwnCache):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("not me")

        __copy__ = __reduce_ex__ = __getstate__ = __setstate__ = __deepcopy__  # type: ignore[assignment]

    cache = Stubborn()
    cache.keys = torch.ones(2)
    (twin,), _ = copied((cache,), {})
    assert type(twin) is Stubborn
    assert twin is not cache
    twin.keys += 1
    assert torch.equal(cache.keys, torch.ones(2))


def test_arrays_and_generators_of_a_cache_are_copied_and_its_modules_are_shared():
    cache = State()
    cache.array, cache.module = numpy.ones(2), torch.nn.Linear(2, 2)
    cache.generator = torch.Generator().manual_seed(1)
    (twin,), _ = copied((cache,), {})
    twin.array += 1
    twin.generator.manual_seed(2)
    assert cache.array.tolist() == [1, 1]
    assert cache.generator.initial_seed() == 1
    assert twin.module is cache.module


def test_a_cache_that_cannot_be_copied_is_named_with_the_reason():
    cache = OwnCache()
    cache.keys = iter([torch.ones(2)])
    with pytest.raises(UncopiedError, match=r"OwnCache cannot be copied \(it contains a"):
        copied((cache,), {})


def cache_argument(model: Any) -> str:
    """Return the name of the argument of this release that takes a cache."""
    import inspect

    names = inspect.signature(type(model).forward).parameters
    return "cache" if "cache" in names else "past_key_values"


@pytest.mark.parametrize("kind", ["given", "given static", "made", "beams", "static"])
def test_the_pass_after_generate_changes_no_cache(kind):
    family, lengths = llama(), []
    more: dict[str, Any] = {"return_dict_in_generate": True}
    if kind == "beams":
        more["num_beams"] = 2
    if kind == "static":
        more["cache_implementation"] = "static"

    def call(model):
        given = {}
        if kind.startswith("given"):
            static = kind == "given static"
            made = (
                transformers.StaticCache(config=model.config, max_cache_len=20)
                if static
                else transformers.DynamicCache(config=model.config)
            )
            given = {cache_argument(model): made}
        result = model.generate(ids(1, 5), **MANY, **more, **given)
        (cache,) = caches(given) or caches(result)
        lengths.append(int(cache.get_seq_length()))
        return result.sequences, [layer.keys for layer in cache.layers]

    recorded = only(unnoticed(family.model, call))
    assert lengths == [8, 8]
    assert [(site.queries, site.keys) for site in recorded.sites] == [(9, 9)] * 2
    assert all(site.certificate.exact for site in recorded.sites)


def test_the_pass_after_generate_of_an_encoder_decoder_leaves_its_cache_alone():
    family, lengths = t5(), []

    def make():
        model = family.model()
        model.generation_config.decoder_start_token_id = 0
        return model

    def call(model):
        result = model.generate(family.inputs["input_ids"], **MANY, return_dict_in_generate=True)
        (cache,) = caches(result)
        lengths.append(int(cache.get_seq_length()))
        return result.sequences

    recorded = only(unnoticed(make, call))
    assert lengths[0] == lengths[1]
    assert all(site.certificate.exact for site in recorded.sites)
