"""PNG files with at most 256 colors: a third of the size of those that a browser writes."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page

COLORS = 256
# If there are too many colors, those that differ by less than one of these numbers are merged.
# The first number is used for which 256 colors cover nearly all of the image.
CLOSE = (2, 3, 4, 6, 8)
ENOUGH = 0.997

# The browser decodes the PNG: width, height, and RGBA of every pixel.
DECODE = """async png => {
  const bytes = Uint8Array.from(atob(png), letter => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = '';
  for (let i = 0; i < data.length; i += 8192) {
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  }
  return [image.width, image.height, btoa(text)];
}"""


def paletted(page: Page, png: bytes) -> bytes:
    """Return the PNG with at most 256 colors.

    Parameters
    ----------
    page
        Any page; its browser decodes the image.
    png
        An opaque image.
    """
    width, height, data = page.evaluate(DECODE, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height * width, 4)[:, :3]
    palette, indices = reduced(pixels)
    # Each line starts with its filter type, 0 for none.
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = indices.reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, content)
        for name, content in (
            (b"IHDR", header),
            (b"PLTE", palette.tobytes()),
            (b"IDAT", zlib.compress(lines.tobytes(), 9)),
            (b"IEND", b""),
        )
    )


def reduced(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a palette, (colors, 3), and the index of the nearest color for each pixel."""
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    unique, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colors = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1).astype(np.float32)
    palette = colors
    for close in CLOSE if len(colors) > COLORS else ():
        _, box = np.unique(colors // close, axis=0, return_inverse=True)
        weight = np.bincount(box, counts)
        mean = [np.bincount(box, counts * channel) / weight for channel in colors.T]
        most = np.argsort(weight)[::-1][:COLORS]
        palette = np.stack(mean, axis=1)[most].round().astype(np.float32)
        if weight[most].sum() >= ENOUGH * len(pixels):
            break
    far = ((colors[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
    nearest = cast("NDArray[np.uint8]", far.argmin(axis=1).astype(np.uint8))
    return palette.astype(np.uint8), nearest[inverse]


def chunk(name: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
