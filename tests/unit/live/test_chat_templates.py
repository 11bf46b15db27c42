"""Chat templates render as in the library, and never exceed their budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from attnlab.live.findings import NotComputedError
from attnlab.live.templates.tokenizers import render_conversation
from attnlab.live.values.budget import Budget
from tests.unit.chat_templates import CONVERSATIONS, ENDLESS, TEMPLATES
from tests.unit.memory import at_most

TOOLS: list[Any] = [{"type": "function", "function": {"name": "f", "description": "ü <b>"}}]


def tokenizer(kind: Any = PreTrainedTokenizerFast, **options: Any) -> Any:
    """Create a tokenizer."""
    backend = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    return kind(tokenizer_object=backend, bos_token="<s>", **options)


CHAT = tokenizer()


@pytest.mark.parametrize("tools", [None, TOOLS], ids=["plain", "tools"])
@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_renders_as_in_the_library(template: str, conversation: Any, tools: Any) -> None:
    options = {
        "tokenize": False,
        "chat_template": template,
        "tools": tools,
        "add_generation_prompt": True,
    }
    expected = CHAT.apply_chat_template(conversation, **options)
    assert render_conversation(CHAT, (conversation,), options, Budget()) == expected


pieces = st.recursive(
    st.sampled_from(
        [
            *("a", "{{ x }}", "{{ loop.index }}", "{{ m.content }}", "{% set x = 'y' %}"),
            *("{{ x ~ m.role }}", "{{ m.content[1:] | upper }}", "{{ ns.n }}", "{{ [1, x] }}"),
            *("{% set ns.n = ns.n + 1 %}", "{{ messages | length }}", "{{ {'a': x} | tojson }}"),
            *("{{ m.content.split('i') | join('-') }}", "{{ '%3d|' % ns.n }}", "{{ nothing }}"),
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        inner.map(lambda value: f"{{% for m in messages %}}{value}{{% endfor %}}"),
        inner.map(
            lambda value: f"{{% for i in range(2) if i %}}{value}{{% else %}}e{{% endfor %}}"
        ),
        st.tuples(inner, inner).map(
            lambda value: f"{{% if x == 'y' %}}{value[0]}{{% else %}}{value[1]}{{% endif %}}"
        ),
        inner.map(lambda value: f"{{% set x %}}{value}{{% endset %}}{{{{ x | trim }}}}"),
        inner.map(lambda value: f"{{% macro f(x) %}}{value}{{% endmacro %}}{{{{ f('y') }}}}"),
    ),
    max_leaves=8,
)


@given(inner=pieces)
@settings(deadline=None, max_examples=150)
def test_any_template_renders_as_in_the_library(inner: str) -> None:
    start = "{% set ns = namespace(n=0) %}{% set x = 'x' %}{% set m = messages[0] %}"
    options = {"tokenize": False, "chat_template": start + inner}
    try:
        expected = CHAT.apply_chat_template(CONVERSATIONS["several"], **options)
    except Exception as error:  # noqa: BLE001 - then rendering it raises the same
        with pytest.raises(type(error)):
            render_conversation(CHAT, (CONVERSATIONS["several"],), options, Budget())
    else:
        assert render_conversation(CHAT, (CONVERSATIONS["several"],), options, Budget()) == expected


@pytest.mark.parametrize("template", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_template_ends(template: str) -> None:
    conversation = [{"role": "user", "content": "99999"}]
    options = {"tokenize": False, "chat_template": template}
    with at_most(96 << 20), pytest.raises((NotComputedError, RecursionError, SyntaxError)):
        render_conversation(CHAT, (conversation,), options, Budget())


class Own(PreTrainedTokenizerFast):
    """A tokenizer class defined by the user."""

    def apply_chat_template(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("code of a user ran")


def test_code_of_a_user_is_not_run() -> None:
    made_tokenizer = tokenizer(Own, chat_template="x")
    patched = tokenizer(chat_template="x")
    patched.apply_chat_template = Own.apply_chat_template
    for chat in (made_tokenizer, patched):
        with pytest.raises(NotComputedError):
            render_conversation(chat, (CONVERSATIONS["one"],), {"tokenize": False}, Budget())


def test_a_library_that_renders_otherwise_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "transformers.tokenization_utils_base.render_jinja_template", lambda **_: (["x"], [])
    )
    options = {"tokenize": False, "chat_template": "x"}
    with pytest.raises(NotComputedError, match="this release of transformers"):
        render_conversation(CHAT, (CONVERSATIONS["one"],), options, Budget())
