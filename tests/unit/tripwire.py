"""User objects that note everything that is done with them."""

from __future__ import annotations

import operator
from typing import Any

TRIPPED: list[str] = []
"""What has been done."""

KEPT = {
    *("__class__", "__class_getitem__", "__init__", "__init_subclass__", "__new__", "__del__"),
    *("__doc__", "__module__", "__dict__", "__weakref__", "__slots__", "__mro_entries__"),
    *("__abstractmethods__", "__subclasshook__", "__prepare__", "__annotations__"),
}
"""The attributes that Python itself uses to create a class and its objects."""

OTHERS = {
    *(name for kind in (int, float, list, dict, str) for name in vars(kind)),
    *(name for name in vars(operator) if name.startswith("__")),
    *("__getattr__", "__fspath__", "__index__", "__complex__", "__enter__", "__missing__"),
    *("__await__", "__aiter__", "__next__", "__call__", "__deepcopy__", "__copy__", "__iter__"),
    *("__instancecheck__", "__subclasscheck__", "__html__", "__length_hint__", "__bool__"),
    *("boom", "content", "name", "mask_token", "chat_template", "apply_chat_template"),
}


def _trip(name: str) -> Any:
    def tripped(*_: Any, **__: Any) -> Any:
        TRIPPED.append(name)
        raise AssertionError(f"{name} of a user ran")

    return tripped


def _wires(*bases: type) -> dict[str, Any]:
    names = {name for base in bases for name in dir(base)} | OTHERS
    names -= set(vars(type)) - set(vars(object)) - {"__call__"}
    plain = {name: _trip(name) for name in names if name.startswith("__") and name not in KEPT}
    public = {name: property(_trip(name)) for name in names if not name.startswith("__")}
    return {**plain, **public, "__class__": property(_trip("__class__"))}


def wired(base: type, *args: Any) -> Any:
    """Create an object of a subclass in which everything is noted."""
    return type(f"wired_{base.__name__}", (base,), {"__slots__": (), **_wires(base)})(*args)


def wired_class() -> Any:
    """Create a class whose metaclass notes everything that is done with it."""
    hidden = ("__name__", "__mro__", "__module__", "__dict__", "__bases__")
    wires = {**_wires(), **{name: property(_trip(name)) for name in hidden}}
    # Calling the metaclass would already be noted.
    return type.__new__(type("Meta", (type,), wires), "Wired", (), {"__slots__": ()})


def wires() -> dict[str, Any]:
    """Make one of each."""
    return {
        "object": wired(object),
        "string": wired(str, "a"),
        "integer": wired(int, 2),
        "float": wired(float, 2.0),
        "list": wired(list, ["a"]),
        "tuple": wired(tuple, ("a",)),
        "dict": wired(dict, {"a": "b"}),
        "class": wired_class(),
        "metaclass": object.__new__(wired_class()),
    }
