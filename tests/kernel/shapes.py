"""Cells as people write them: which are live, each with an edit, and which are not, and why."""

from __future__ import annotations

from typing import NamedTuple

SETUP = """
import torch
from transformers import LlamaConfig, LlamaForCausalLM, pipeline
torch.manual_seed(0)
writer = LlamaForCausalLM(LlamaConfig(
    hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, vocab_size=len(tokenizer), max_position_embeddings=512,
)).eval()
chat = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
chat.chat_template = (
    "{% for own in messages %}<{{ own.role }}> {{ own.content }} {% endfor %}"
)
pipe = pipeline("feature-extraction", model=model, tokenizer=tokenizer)
earlier = "An earlier cell says"
def given(text):
    return model(**tokenizer(text, return_tensors="pt"))
"""


def call(text: str) -> str:
    """Call the model on what an expression gives."""
    return f'model(**tokenizer({text}, return_tensors="pt"))'


CAT = call('"The cat"')
PADDED = 'model(**tokenizer("The cat", padding="max_length", max_length=12, return_tensors="pt"))'


class Shape(NamedTuple):
    """A cell before and after an edit."""

    before: str
    after: str


def plain(before: str, after: str) -> Shape:
    """Make a cell of one expression for the text."""
    return Shape(call(before), call(after))


def edited(cell: str, old: str, new: str) -> Shape:
    """Edit one part of a cell."""
    assert old in cell
    return Shape(cell, cell.replace(old, new))


LIVE: dict[str, Shape] = {
    "plain": plain('"The cat sat"', '"The black cat sat down"'),
    "empty": plain('"The cat sat"', '""'),
    "name": edited(f't = "The cat sat"\n{call("t")}', "cat", "dog"),
    "f-string": edited(
        'who = "cat"\n' + call('f"The {who} sat"'),
        '"cat"',
        '"old dog"',
    ),
    "format of a number": plain(
        'f"It costs {3.14159:.2f} euros"', 'f"It costs {2.71828:.3f} euros"'
    ),
    "str.format": plain('"The {} {}".format("cat", "sat")', '"The {} {}!".format("dog", "ran")'),
    "percent": plain('"%s has %d legs" % ("A cat", 4)', '"%s has %d legs" % ("An ant", 6)'),
    "sum": plain('"The cat" + " sat"', '"The cat" + " sat on the mat"'),
    "adjacent literals": plain('("The cat "\n"sat")', '("The cat "\n"sat " "down")'),
    "augmented": edited(f't = "The cat"\nt += " sat"\n{call("t")}', " sat", " ran away"),
    "repeated": plain('"ha " * 3', '"ha " * 5'),
    "joined": plain('" ".join(["The", "cat", "sat"])', '" ".join(["The", "cat", "sat", "there"])'),
    "string methods": plain('"  the cat  ".strip().title()', '"  the black cat  ".strip().upper()'),
    "replaced": plain('"The X sat".replace("X", "cat")', '"The X sat".replace("X", "dog")'),
    "sliced": plain('"The cat sat on the mat"[:11]', '"The cat sat on the mat"[:15]'),
    "triple quotes": plain('"""The cat\nsat"""', '"""The cat\nsat\ndown"""'),
    "dedent": edited(
        f'import textwrap\nt = textwrap.dedent("""\\\n    The cat\n    sat\n""")\n{call("t")}',
        "The cat",
        "The dog",
    ),
    "raw and escapes": plain(r'r"a\b" + "c\td"', r'r"a\bc" + "c\td\u00e9"'),
    "names of earlier cells": plain('earlier + " nothing"', 'earlier + " everything"'),
    "special token": plain(
        'f"Paris is {tokenizer.mask_token}."', 'f"Rome is {tokenizer.mask_token}!"'
    ),
    "unpacked": edited(f'a, b = "cat", "mat"\n{call("a + b")}', '"mat"', '"rug"'),
    "dictionary": edited('d = {"who": "cat"}\n' + call('d["who"]'), '"cat"', '"dog"'),
    "comprehension": plain(
        '" ".join(w.upper() for w in ["a", "b"])', '" ".join(w.upper() for w in ["a", "c", "d"])'
    ),
    "conditional expression": plain('"yes" if True else "no"', '"yes sir" if True else "no"'),
    "a branch that is taken": edited(
        f'if 1 < 2:\n    t = "The cat"\nelse:\n    t = "no"\n{call("t")}', "cat", "dog"
    ),
    "no_grad": edited(
        f"with torch.no_grad():\n    o = {CAT}",
        "cat",
        "dog",
    ),
    "result used": edited(
        f"out = {CAT}\nprint(out.last_hidden_state.shape)",
        "cat",
        "black cat",
    ),
    "arguments one by one": edited(
        'e = tokenizer("The cat", return_tensors="pt")\nmodel(e["input_ids"], e["attention_mask"])',
        "cat",
        "black cat",
    ),
    "moved to a device": edited(
        'e = tokenizer("The cat", return_tensors="pt").to(model.device)\nmodel(**e)',
        "cat",
        "dog sat",
    ),
    "encode": edited('model(torch.tensor([tokenizer.encode("The cat")]))', "cat", "black cat"),
    "encode to a tensor": edited(
        'model(tokenizer.encode("The cat", return_tensors="pt"))', "cat", "black cat"
    ),
    "batch": edited(
        'model(**tokenizer(["The cat", "A black dog"], padding=True, return_tensors="pt"))',
        "The cat",
        "The cat sat there",
    ),
    "batch with an item added": edited(
        'model(**tokenizer(["The cat", "A dog"], padding=True, return_tensors="pt"))',
        '"A dog"]',
        '"A dog", "and a bird"]',
    ),
    "batch with an item removed": edited(
        'model(**tokenizer(["The cat", "A dog", "x"], padding=True, return_tensors="pt"))',
        ', "x"]',
        "]",
    ),
    "appended": edited(
        'ts = ["The cat"]\nts.append("A dog")\n'
        'model(**tokenizer(ts, padding=True, return_tensors="pt"))',
        "A dog",
        "A black dog",
    ),
    "pair": edited(
        'model(**tokenizer("Who sat?", "The cat sat.", return_tensors="pt"))',
        "Who",
        "Where and who",
    ),
    "pair by keyword": edited(
        'model(**tokenizer("Who?", text_pair="The cat.", return_tensors="pt"))', "The cat", "A dog"
    ),
    "truncated": edited(
        'model(**tokenizer("The cat sat", truncation=True, max_length=8, return_tensors="pt"))',
        "sat",
        "sat on the mat and slept",
    ),
    "padded": edited(
        PADDED,
        "cat",
        "black cat",
    ),
    "other scripts": plain('"Die Katze saß 🐈 猫"', '"Die Katze saß 🐈‍⬛ 黒猫 קופסה"'),
    "the same text twice": edited(f't = "The cat"\n{call("t + t")}', "cat", "dog "),
    "two calls": edited(
        CAT + "\n" + call('"A dog"'),
        "dog",
        "bird sang",
    ),
    "chat template": edited(
        'e = chat.apply_chat_template([{"role": "user", "content": "The cat"}], '
        'return_tensors="pt", return_dict=True)\nmodel(**e)',
        "cat",
        "black cat",
    ),
    "chat template as text": edited(
        't = chat.apply_chat_template([{"role": "user", "content": "The cat"}], tokenize=False)\n'
        'model(**chat(t, return_tensors="pt"))',
        "cat",
        "black cat",
    ),
    "pipeline": edited('pipe("The cat sat")', "cat", "black cat"),
    "comment": edited(f"{CAT}  # one", "one", "another"),
    "several on a line": edited('a = "The cat"; b = a + "!"; ' + call("b"), "cat", "dog"),
}

WRITES = edited(
    'e = tokenizer("The cat", return_tensors="pt")\n'
    "writer.generate(e['input_ids'], attention_mask=e['attention_mask'], max_new_tokens=4, "
    "do_sample=False, pad_token_id=0)",
    "cat",
    "black cat",
)

REFUSED: dict[str, tuple[Shape, str]] = {
    "loop": (
        edited(f'for t in ["cat", "dog"]:\n    {call("t")}', "dog", "bird"),
        "loop",
    ),
    "while": (
        edited(
            f"n = 0\nwhile n < 1:\n    {CAT}\n    n += 1",
            "cat",
            "dog",
        ),
        "loop",
    ),
    "comprehension of calls": (
        edited(f'[{call("t")} for t in ["cat"]]', "cat", "dog"),
        "loop",
    ),
    "function of the cell": (
        edited(f'def f(t):\n    return {call("t")}\nf("cat")', "cat", "dog"),
        "`f`",
    ),
    "function of an earlier cell": (edited('given("cat")', "cat", "dog"), "`given`"),
    "what a file says": (
        edited(
            'import pathlib\nt = pathlib.Path("/etc/hostname").read_text()\n' + call("t") + "\n# x",
            "# x",
            "# y",
        ),
        "cannot be evaluated",
    ),
    "random": (
        edited('import random\nt = random.choice(["cat"])\n' + call("t"), '"cat"', '"dog"'),
        "cannot be evaluated",
    ),
    "assigned in passing": (
        edited('(t := "cat")\n' + call("t"), '"cat"', '"dog"'),
        "cannot be evaluated",
    ),
    "another option": (
        edited(
            PADDED,
            "12",
            "14",
        ),
        "more than the text",
    ),
    "another statement": (
        Shape(CAT, CAT + "\nprint(1)"),
        "more than the text",
    ),
    "another argument depends on the text": (
        edited(
            't = "The cat"\nmodel(**tokenizer(t, max_length=len(t), truncation=True, '
            'return_tensors="pt"))',
            "The cat",
            "The black cat",
        ),
        "depends on the text",
    ),
    "a tensor as long as the text": (
        edited(
            'e = tokenizer("The cat", return_tensors="pt")\n'
            'model(**e, position_ids=torch.arange(e["input_ids"].shape[1])[None])',
            "cat",
            "black cat",
        ),
        "position_ids",
    ),
    "tokenized in another cell": (Shape("model(**inputs)", "model(**inputs)  # x"), "another cell"),
    "a cell magic": (
        edited("%%time\n" + CAT, "cat", "dog"),
        "magic",
    ),
    "a training model": (
        edited("model.train()\n" + CAT, "cat", "dog"),
        "eval",
    ),
    "a hook": (
        edited(
            "h = model.register_forward_hook(lambda *a: None)\n" + CAT,
            "cat",
            "dog",
        ),
        "hook",
    ),
}
