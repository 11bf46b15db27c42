"""Tokenizers with the methods of libraries that the tests do not install."""

from __future__ import annotations

import enum
import warnings
from typing import Any

WORDS = (b"the", b" cat", b" sat")
"""The entries after the 256 bytes."""


class Encoding:
    """The methods of ``tiktoken.Encoding``; ids are bytes, then words, then one special token."""

    END = 256 + len(WORDS)

    def encode(self, text: str, *, allowed_special: Any = (), disallowed_special: Any = "all"):
        ids, data = [], text.encode()
        while data:
            word = next((word for word in WORDS if data.startswith(word)), data[:1])
            ids.append(256 + WORDS.index(word) if word in WORDS else data[0])
            data = data[len(word) :]
        return ids

    def decode_single_token_bytes(self, token: int) -> bytes:
        if token == self.END:
            return b"<|endoftext|>"
        if not 0 <= token < self.END:
            raise KeyError(token)
        return bytes([token]) if token < 256 else WORDS[token - 256]

    def decode_bytes(self, tokens: list[int]) -> bytes:
        return b"".join(map(self.decode_single_token_bytes, tokens))

    def decode(self, tokens: list[int], errors: str = "replace") -> str:
        return self.decode_bytes(tokens).decode("utf-8", errors)

    def is_special_token(self, token: int) -> bool:
        assert isinstance(token, int)
        return token == self.END


class SpecialTokenPolicy(int, enum.Enum):
    IGNORE = 0
    KEEP = 1
    RAISE = 2


class Tekkenizer:
    """The methods of mistral-common's ``Tekkenizer``; its special tokens come first."""

    NAMES = ("<unk>", "<s>", "</s>")

    def __init__(self) -> None:
        self._model = Encoding()

    @property
    def num_special_tokens(self) -> int:
        return len(self.NAMES)

    def encode(self, s: str, bos: bool, eos: bool) -> list[int]:
        ids = [number + len(self.NAMES) for number in self._model.encode(s)]
        return [*([1] if bos else []), *ids, *([2] if eos else [])]

    def decode(self, tokens: list[int], special_token_policy: Any = None) -> str:
        policy = self._policy(special_token_policy)
        return b"".join(self._bytes(token, policy) for token in tokens).decode("utf-8", "replace")

    def id_to_piece(self, token_id: int) -> str:
        return self.decode([token_id], SpecialTokenPolicy.KEEP)

    def id_to_byte_piece(self, token_id: int, special_token_policy: Any = None) -> bytes:
        return self._bytes(token_id, self._policy(special_token_policy))

    def _bytes(self, token: int, policy: Any) -> bytes:
        if token < len(self.NAMES):
            return self.NAMES[token].encode() if policy == SpecialTokenPolicy.KEEP else b""
        return self._model.decode_single_token_bytes(token - len(self.NAMES))

    def _policy(self, given: Any) -> Any:
        if given is None:
            warnings.warn("pass a special token policy", FutureWarning, stacklevel=3)
            return SpecialTokenPolicy.IGNORE
        return given


class MistralTokenizer:
    """The attributes of mistral-common's ``MistralTokenizer`` that lead to its tokenizer."""

    class InstructTokenizer:
        def __init__(self) -> None:
            self.tokenizer = Tekkenizer()

    def __init__(self) -> None:
        self.instruct_tokenizer = self.InstructTokenizer()

    def decode(self, tokens: list[int], special_token_policy: Any = None) -> str:
        return self.instruct_tokenizer.tokenizer.decode(tokens, special_token_policy)
