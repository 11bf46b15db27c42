"""The value of an expression equals that computed by Python, or is unknown."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from attnlab.live.evaluation.expressions import evaluate
from attnlab.live.evaluation.names import Names
from attnlab.live.findings import Finding
from attnlab.live.values.budget import LARGEST


def value(source, **names):
    return evaluate(ast.parse(source, mode="eval").body, Names(names))


KNOWN = [
    "'plain'",
    "'a' 'b'",
    "f'{a} and {b!r:>8}'",
    "f'{n:03d} {x:.2f} {a=}'",
    "f'{a:{n}}|'",
    "a + ' ' + b",
    "a * 3",
    "'%s is %d' % (a, n)",
    "'%(k)s' % d",
    "'{} {x}'.format(a, x=b)",
    "'{0[k]}'.format(d)",
    "'{k}'.format_map(d)",
    "' '.join([a, b])",
    "' '.join(word for word in a.split('o') if word)",
    "[f'{w}!' for w in (a, b)]",
    "[(i, w) for i, w in enumerate(a)]",
    "[x + y for x in a for y in b]",
    "a.upper().replace('E', 'i').strip()",
    "a[::-1] + b[1:3] + a[-1]",
    "d['k']",
    "{'role': 'user', **d}",
    "[*names, 'z']",
    "(a, *names)",
    "a if n > 3 else b",
    "not a or b",
    "'x' in a and 1 < n <= 4",
    "str(n) + repr(a) + str(len(names))",
    "sorted(names, reverse=True)",
    "list(zip(names, range(2)))",
    "list(d.items())",
    "-n // 2 % 3",
    "dedent('  a')",
    "textwrap.dedent('  a')",
    "chr(65) if False else a",
]
HELD = {
    "a": "hello",
    "b": "wörld 🌍",
    "n": 4,
    "x": 2.5,
    "d": {"k": "v"},
    "names": ["p", "q"],
    "dedent": textwrap.dedent,
    "textwrap": textwrap,
}


@pytest.mark.parametrize("source", KNOWN)
def test_a_known_expression_has_pythons_value(source):
    assert value(source, **HELD) == eval(source, dict(HELD))


UNKNOWN = [
    ("open('x').read()", "`open`"),
    ("load(a)", "`load`"),
    ("model.name", "`model.name` cannot be evaluated while typing"),
    ("missing", "`missing` is not defined"),
    ("tensor + a", "`tensor` is unknown: an object is not plain text"),
    ("a / 2", "TypeError"),
    ("names[7]", "IndexError"),
    ("d['nothing']", "KeyError"),
    ("lambda: a", "cannot be evaluated while typing"),
    ("(y := a)", "cannot be evaluated while typing"),
    ("names.append(a)", "`.append`"),
    ("a.encode()", "`.encode`"),
    ("a is b", "`is` cannot be evaluated"),
    ("b'bytes'", "a bytes is not plain text"),
    ("len(a)", "`len`", {"len": lambda value: 7}),
    ("await a", "cannot be evaluated while typing"),
]


@pytest.mark.parametrize(("source", "why", "shadow"), [(*case, {})[:3] for case in UNKNOWN])
def test_unknown_values_have_a_reason(source, why, shadow):
    with pytest.raises(Finding, match=why.replace("(", r"\(")):
        value(source, **HELD, load=print, model=object(), tensor=object(), **shadow)


def test_a_reason_has_the_position_of_its_cause():
    with pytest.raises(Finding) as found:
        value("f'é {a}' + \\\n  load(a)", a="x", load=print)
    assert (found.value.line, found.value.column) == (2, 2)


@pytest.mark.parametrize(
    "source",
    [
        "'a' * 10 ** 9",
        "'a' * 1000000000",
        "1000000000 * ['a']",
        "'a'.ljust(1000000000)",
        "'{:1000000000}'.format(1)",
        "f'{1:1000000000}'",
        "'%1000000000d' % 1",
        "'%*d' % (1000000000, 1)",
        "'{:{}}'.format(1, 1000000000)",
        "'a\\ta'.expandtabs(1000000000)",
        "big.replace('a', big)",
        "big.join(list(big))",
        "''.join([big for _ in range(10)])",
        "f'{big}{big}{big}'",
        "'{0}{0}{0}{0}'.format(big)",
        "range(1000000000)",
        "[x for x in range(100000) for y in range(100000)]",
        "[big for x in big for y in big]",
        "big.translate({97: big})",
        "9999999999 * 9999999999 * 9999999999 * big",
        "textwrap.indent('a\\n' * 500000, 'a' * 500000)",
    ],
)
def test_a_typing_mistake_does_not_fill_the_memory(source):
    with pytest.raises(Finding):
        value(source, big="a" * (LARGEST // 2), textwrap=textwrap)


def test_names_are_read_as_copies():
    held = {"names": [["a"]]}
    found = value("names", **held)
    assert found == [["a"]]
    assert found is not held["names"]
    assert found[0] is not held["names"][0]


plain = st.recursive(
    st.text(max_size=6) | st.integers(-50, 50) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
texts = st.recursive(
    st.sampled_from(["a", "b", "names[0]", "str(n)", "d['k']"]) | st.text(max_size=5).map(repr),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" + ".join),
        st.tuples(inner, st.sampled_from(["upper", "strip", "title", "swapcase"])).map(
            lambda value: f"({value[0]}).{value[1]}()"
        ),
        inner.map(
            lambda value: f"f'<{{{value}}}>'" if "'" not in value and "\\" not in value else value
        ),
        inner.map(lambda value: f"({value})[1:]"),
        st.tuples(inner, inner).map(lambda value: f"' '.join([{value[0]}, {value[1]}])"),
        st.tuples(inner, inner).map(lambda value: f"({value[0]} if n > 3 else {value[1]})"),
        st.tuples(inner, inner).map(lambda value: f"({value[0]}).replace({value[1]}, 'z')"),
    ),
    max_leaves=12,
)


@given(source=texts)
@settings(deadline=None, max_examples=300)
def test_any_text_has_pythons_value(source):
    assert value(source, **HELD) == eval(source, dict(HELD))


@given(held=plain)
@settings(deadline=None)
def test_plain_data_is_unchanged(held):
    assert value("held", held=held) == held
    assert value(repr(held)) == held


@pytest.fixture(scope="module")
def chat() -> Any:
    """Create a tokenizer with a template and special tokens."""
    backend = Tokenizer(WordLevel({"[UNK]": 0, "[MASK]": 1, "hi": 2}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, mask_token="[MASK]")
    tokenizer.chat_template = (
        "{% for own in messages %}<{{ own.role }}>{{ own.content }}{% endfor %}"
    )
    return tokenizer


def test_a_chat_template_that_returns_text_is_rendered(chat: Any) -> None:
    conversation = (
        "chat.apply_chat_template([{'role': 'user', 'content': 'hi ' * 2}], tokenize=False)"
    )
    assert value(conversation, chat=chat) == "<user>hi hi "


def test_a_special_token_of_a_tokenizer_is_a_text(chat: Any) -> None:
    assert value("f'Paris is {chat.mask_token}'", chat=chat) == "Paris is [MASK]"


@pytest.mark.parametrize(
    ("conversation", "why"),
    [
        (
            "chat.apply_chat_template([{'role': 'user', 'content': 'hi'}])",
            "only with tokenize=False",
        ),
        ("chat.apply_chat_template([{'role': 'user'}], tokenize=False, x=open('y'))", "`open`"),
        ("other.mask_token", "not a tokenizer"),
        ("other.apply_chat_template('x', tokenize=False)", "not a tokenizer"),
        ("[chat]", "not plain text"),
    ],
)
def test_other_uses_of_a_tokenizer_are_known_only_by_running(
    chat: Any, conversation: str, why: str
) -> None:
    with pytest.raises(Finding, match=why):
        value(conversation, chat=chat, other="text")
