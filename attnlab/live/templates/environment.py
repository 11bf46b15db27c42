"""Chat templates rendered within a budget.

The environment is derived from the one that transformers creates, so the template language is the
same. Each template is rewritten before it is compiled, so that every operation that creates,
iterates over or outputs a value first spends from the budget. Operations that are not known to be
bounded in this way are rejected.
"""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, MethodType
from typing import TYPE_CHECKING, Any

from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from attnlab.live.findings import NotComputedError
from attnlab.live.templates.filters import FILTERS, TESTS
from attnlab.live.templates.primitives import (
    PRIMITIVES,
    bounded_filter,
    bounded_test,
    check_plain,
    collection,
    spent,
)
from attnlab.live.templates.rewriting import Rewriter
from attnlab.live.templates.spending import current_budget
from attnlab.live.values.methods import call_method
from attnlab.live.values.operators import BINARY, apply_binary
from attnlab.live.values.plain_data import is_plain, spend_hashing, steps_to_read

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes
    from jinja2.runtime import Context

LONGEST = 1 << 15
"""Characters of a template."""

COMPILING = 8
"""Characters of a template that are compiled per step."""

HARMLESS = ("namespace", "raise_exception", "strftime_now")
"""Functions of templates whose cost is bounded by that of their arguments."""

SCOPES = ("_loop_vars", "_block_vars")
"""Arguments that compiled templates add to calls, for functions that read variables."""


def compile_template(environment: Environment, source: str) -> Template:
    """Compile a template that spends from the budget of `spending`.

    Raises
    ------
    NotComputedError
        If it is too long, or contains operations that are not known to be bounded.
    """
    if type(environment) is not ImmutableSandboxedEnvironment:
        raise NotComputedError(
            "attnlab does not know how this release of transformers renders chat templates"
        )
    if len(source) > LONGEST:
        raise NotComputedError(
            f"a chat template of more than {LONGEST:,} characters is not rendered"
        )
    return _compiled(_bounded(environment), source)


@functools.lru_cache(maxsize=16)
def _compiled(environment: BoundedEnvironment, source: str) -> Template:
    current_budget().spend(1 + len(source) // COMPILING)
    return environment.from_string(source)


@functools.lru_cache(maxsize=1)
def _bounded(environment: Environment) -> BoundedEnvironment:
    """Derive a bounded environment from another one, as `Environment.overlay` does."""
    bounded = object.__new__(BoundedEnvironment)
    vars(bounded).update(vars(environment))
    bounded.overlayed, bounded.linked_to, bounded.cache = True, environment, None
    # The optimizer would compute constants while a template is compiled.
    bounded.optimized = False
    bounded.extensions = {key: part.bind(bounded) for key, part in environment.extensions.items()}
    bounded.filters = {
        **{
            name: bounded_filter(original, name)
            for name, original in environment.filters.items()
            if name in FILTERS
        },
        **PRIMITIVES,
    }
    bounded.tests = {
        name: bounded_test(original)
        for name, original in environment.tests.items()
        if name in TESTS
    }
    return bounded


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """An environment in which all operations spend from the budget."""

    intercepted_binops = frozenset(BINARY)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(Rewriter().visit(source), *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator to plain values."""
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return super().call_binop(context, operator, left, right)
        check_plain(left, right)
        return spent(apply_binary(operator, left, right, current_budget()))

    def wrap_str_format(self, value: Any) -> None:
        """Leave `str.format` unwrapped: `call` handles it."""

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of plain data, a macro or one of the known functions.

        Raises
        ------
        NotComputedError
            If another function is called, or the call exceeds the budget.
        """
        scopes = {name: kwargs.pop(name) for name in SCOPES if name in kwargs}
        budget, given = current_budget(), [*args, *kwargs.values()]
        budget.spend(1 + sum(steps_to_read(value) for value in given if is_plain(value)))
        owner = getattr(called, "__self__", None)
        if type(called) is BuiltinFunctionType and is_plain(owner):
            if type(owner) is dict and called.__name__ in ("keys", "values", "items", "get"):
                return called(*args, **kwargs)
            check_plain(*given)
            return spent(call_method(owner, called.__name__, args, kwargs, budget))
        functions: dict[str, Any] = dict(self.globals)
        if called is functions["range"]:
            numbers = called(*args, **kwargs)
            budget.list(len(numbers))
            return numbers
        if called is functions["dict"]:
            spend_hashing(
                len(kwargs) + sum(len(value) for value in args if hasattr(value, "__len__")), budget
            )
            return collection(called(*args, **kwargs))
        if self._is_known(called, owner):
            return super().call(context, called, *args, **kwargs, **scopes)
        raise NotComputedError(
            "the chat template calls a function that cannot be evaluated while typing"
        )

    def _is_known(self, called: Any, owner: Any) -> bool:
        """Whether a function is part of Jinja or transformers, and its cost is bounded."""
        if isinstance(called, Macro | Undefined):
            return True
        if type(called) is MethodType:
            extensions = self.extensions.values()
            if type(owner) is LoopContext or any(owner is known for known in extensions):
                return True
        return any(called is self.globals.get(name) for name in HARMLESS)
