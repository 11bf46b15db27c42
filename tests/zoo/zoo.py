"""All specimens."""

from __future__ import annotations

from tests.zoo.encoder_decoders import ENCODER_DECODERS
from tests.zoo.experts import EXPERTS
from tests.zoo.hybrids import HYBRIDS
from tests.zoo.multihead import MULTIHEAD
from tests.zoo.multimodal import MULTIMODAL
from tests.zoo.outside_text import OUTSIDE_TEXT
from tests.zoo.plain import PLAIN
from tests.zoo.sound import SOUND
from tests.zoo.specimen import Specimen
from tests.zoo.text_decoders import TEXT_DECODERS
from tests.zoo.text_encoders import TEXT_ENCODERS
from tests.zoo.vision import VISION
from tests.zoo.vision_language import VISION_LANGUAGE

ZOO: list[Specimen] = [
    *TEXT_ENCODERS,
    *TEXT_DECODERS,
    *EXPERTS,
    *HYBRIDS,
    *ENCODER_DECODERS,
    *OUTSIDE_TEXT,
    *VISION,
    *SOUND,
    *MULTIMODAL,
    *VISION_LANGUAGE,
    *MULTIHEAD,
    *PLAIN,
]


def half() -> list[Specimen]:
    """Every specimen outside the interface, and every second one within."""
    within = [specimen for specimen in ZOO if specimen.path == "interface"]
    return [item for item in ZOO if item.path != "interface" or item in within[::2]]
