"""Copies objects without running any code of their classes.

``copy.deepcopy`` calls methods of an object's class, which is the user's code, and it copies the
parameters of a model, which may take more memory than is available. Here, each kind of object is
copied with the methods of the built-in types. Objects that cannot be copied in this way, and
objects of libraries that store no state of a model in them, are shared.
"""

from __future__ import annotations

import collections
import enum
import functools
import io
import random
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from attnlab.capture.inspection.contents import attributes, defines
from attnlab.capture.torch_internals import original_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST = 200_000
"""Maximum number of objects to copy: a model may refer to all of a notebook."""

ATOMS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type(...), range, slice, object, type,
     types.ModuleType, types.CodeType, property}
)  # fmt: skip
"""Types whose objects are immutable or belong to the whole process."""

LIBRARIES = frozenset({*sys.stdlib_module_names, "torch", "numpy", "accelerate"})
"""Packages whose objects are shared: locks, loggers, files, handles."""

CONTAINERS = (
    collections.OrderedDict, collections.defaultdict, dict, list, tuple, set, frozenset,
    collections.deque,
)  # fmt: skip

EMPTY = frozenset({collections.OrderedDict, dict, list, set})


class UncopiedError(Exception):
    """The reason why an object cannot be copied, a clause."""


class Copies:
    """Copies objects, each once, so that references among them are the same in the copy."""

    def __init__(self) -> None:
        self._memo: dict[int, Any] = {}
        self._originals: list[Any] = []
        """References to the originals, so that no other object can get the id of a deleted one."""

    def knows(self, value: Any) -> bool:
        """Whether an object has been copied."""
        return id(value) in self._memo

    def put(self, value: Any, copy: Any) -> Any:
        """Register `copy` as the copy of an object, and return it."""
        if len(self._memo) > MOST:
            raise UncopiedError(f"it refers to more than {MOST:,} objects")
        self._originals.append(value)
        self._memo[id(value)] = copy
        return copy

    def of(self, value: Any) -> Any:
        """Return the copy of an object, or the object itself if it is shared."""
        kind = type(value)
        if kind in ATOMS:
            return value
        found = self._memo.get(id(value), self)
        if found is not self:
            return found
        if kind in EMPTY and not value:  # Each module has about twelve.
            return self.put(value, kind())
        special = self.special(value, kind)
        if special is not None:
            return special
        make = _MAKERS.get(kind)
        if make is not None:
            return make(self, value)
        for base in CONTAINERS:
            if issubclass(kind, base):
                return self._attributed(value, _contained(self, value, base))
        if issubclass(kind, enum.Enum | type):
            return value
        if _package(kind) in LIBRARIES:
            return _whole(value, kind)
        return self._object(value, kind)

    def special(self, value: Any, kind: type) -> Any:  # noqa: ARG002 - for derived classes
        """Return the copy of an object that a derived class copies differently; None for others."""
        return None

    def _object(self, value: Any, kind: type) -> Any:
        """Copy an object whose state is in its attributes."""
        if (
            not attributes(value)
            and not _slots(kind)
            and _named(value, vars(kind).get("__module__"))
        ):
            return value  # A sentinel, which is compared by identity.
        try:
            copy: Any = object.__new__(kind)
        except TypeError:  # Only the extension module that created it could copy it.
            return _whole(value, kind)
        return self._attributed(value, self.put(value, copy))

    def _attributed(self, value: Any, copy: Any) -> Any:
        """Copy the attributes of an object to its copy."""
        stored = attributes(value)
        if stored:
            attributes(copy).update({name: self.of(part) for name, part in stored.items()})
        kind: Any = type(value)
        for name in _slots(kind):
            try:
                part = object.__getattribute__(value, name)
            except AttributeError:
                continue
            object.__setattr__(copy, name, self.of(part))
        return copy

    def all(self, values: Iterable[Any]) -> list[Any]:
        """Copy several objects."""
        return [self.of(value) for value in values]


def _whole(value: Any, kind: type) -> Any:
    """Share an object; iterators are refused."""
    if defines(kind, "__next__") and not issubclass(kind, io.IOBase):
        raise UncopiedError(f"it contains a {kind.__name__}, which a pass would use up")
    return value


def _named(value: Any, name: Any) -> bool:
    """Whether an object is a global name of a module."""
    module = sys.modules.get(name) if type(name) is str else None
    return any(found is value for found in list(attributes(module).values()))


def _package(kind: type) -> str:
    name = vars(kind).get("__module__", "")
    return name.partition(".")[0] if type(name) is str else ""


@functools.lru_cache(maxsize=1024)
def _slots(kind: Any) -> tuple[str, ...]:
    """List the attributes of a class that are not stored in ``__dict__``."""
    members = (
        (name, member)
        for base in kind.__mro__
        for name, member in vars(base).items()
        if type(member) is types.MemberDescriptorType and "__slots__" in vars(base)
    )
    return tuple(name for name, _ in members)


def _contained(copies: Copies, value: Any, base: Any) -> Any:
    """Copy a container; `base` is the built-in class that it derives from."""
    kind: Any = type(value)
    if base in (tuple, frozenset):
        # Its items are copied first. It can contain itself only through another container.
        items = copies.all(base.__iter__(value))
        if copies.knows(value):
            return copies.of(value)
        same = kind is base and all(map(_is, items, base.__iter__(value)))
        return copies.put(value, value if same else base.__new__(kind, items))
    copy = copies.put(value, base.__new__(kind))
    if base is collections.deque:
        collections.deque.__init__(copy, copies.all(list(value)), value.maxlen)
    elif issubclass(base, dict):
        if base is collections.defaultdict:
            collections.defaultdict.__init__(copy, copies.of(value.default_factory))
        _fill(copies, copy, value, base)
    elif base is list:
        list.extend(copy, _shared(copies, list(list.__iter__(value))))
    else:
        set.update(copy, _shared(copies, list(set.__iter__(value))))
    return copy


def _fill(copies: Copies, copy: Any, value: Any, base: type) -> None:
    ordered = type(value) is collections.OrderedDict
    pairs = list(value.items() if ordered else dict.items(value))
    if not (_plain(dict.keys(value)) and _plain(dict.values(value))):
        pairs = [(copies.of(key), copies.of(part)) for key, part in pairs]
    if base is not collections.OrderedDict:
        dict.update(copy, pairs)
        return
    for key, part in pairs:
        collections.OrderedDict.__setitem__(copy, key, part)


def _shared(copies: Copies, items: list[Any]) -> list[Any]:
    return items if _plain(items) else copies.all(items)


def _plain(values: Iterable[Any]) -> bool:
    """Whether all values are atoms; fast, since a vocabulary has a hundred thousand entries."""
    return ATOMS.issuperset(map(type, values))


def _is(one: Any, other: Any) -> bool:
    return one is other


def _function(copies: Copies, value: Any) -> Any:
    """Copy a function that refers to objects: in its closure, defaults or attributes."""
    compiled = original_function(value)
    if compiled is not None:
        return copies.put(value, copies.of(compiled))
    kept = (value.__defaults__ or (), (value.__kwdefaults__ or {}).values(), vars(value).values())
    if not value.__closure__ and all(map(_plain, kept)):
        return value
    if _named(value, value.__module__):
        return value
    cells = tuple(map(copies.of, value.__closure__ or ()))
    if copies.knows(value):
        return copies.of(value)
    copy = types.FunctionType(value.__code__, value.__globals__, value.__name__, None, cells)
    copies.put(value, copy)
    copy.__defaults__ = copies.of(value.__defaults__)
    copy.__kwdefaults__ = copies.of(value.__kwdefaults__)
    copy.__qualname__, copy.__module__ = value.__qualname__, value.__module__
    vars(copy).update(copies.of(vars(value)))
    return copy


def _cell(copies: Copies, value: Any) -> Any:
    copy = copies.put(value, types.CellType())
    try:
        content = value.cell_contents
    except ValueError:  # The cell is still empty.
        return copy
    copy.cell_contents = copies.of(content)
    return copy


def _method(copies: Copies, value: Any) -> Any:
    function, owner = copies.of(value.__func__), copies.of(value.__self__)
    same = function is value.__func__ and owner is value.__self__
    return value if same else types.MethodType(function, owner)


def _builtin(copies: Copies, value: Any) -> Any:
    """Bind a built-in method to the copy of its object."""
    owner = value.__self__
    if owner is None or type(owner) in ATOMS:
        return value
    copy = copies.of(owner)
    return value if copy is owner else getattr(copy, value.__name__)


def _partial(copies: Copies, value: Any) -> Any:
    copy = functools.partial(
        copies.of(value.func), *copies.all(value.args), **copies.of(value.keywords)
    )
    return copies.put(value, copies._attributed(value, copy))


def _weak(copies: Copies, value: Any) -> Any:
    """Refer to the copy if there is one; an object is not copied for a weak reference alone."""
    found = value()
    return weakref.ref(copies.of(found)) if found is not None and copies.knows(found) else value


def _random(copies: Copies, value: Any) -> Any:
    copy = copies.put(value, random.Random())
    copy.setstate(value.getstate())
    return copy


_MAKERS: dict[type, Callable[[Copies, Any], Any]] = {
    types.FunctionType: _function,
    types.CellType: _cell,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    functools.partial: _partial,
    weakref.ReferenceType: _weak,
    random.Random: _random,
    bytearray: lambda copies, value: copies.put(value, bytearray(value)),
    types.SimpleNamespace: lambda copies, value: copies._attributed(
        value, copies.put(value, types.SimpleNamespace())
    ),
}
"""How objects of exactly these types are copied."""
