"""PNG files of at most 256 colours: a third of the size of what a browser writes."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page

COLOURS = 256
# Colours that differ by less than one of these are one, where there are more than fit: the
# first with which those that fit cover nearly all of the picture.
CLOSE = (2, 3, 4, 6, 8)
ENOUGH = 0.997

# A browser knows every PNG: it says the size, and red, green and blue of every pixel.
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
    """Write a PNG again with at most 256 colours, the most frequent of it and their likes.

    Parameters
    ----------
    page
        Any page: its browser decodes the picture.
    png
        An opaque picture.
    """
    width, height, data = page.evaluate(DECODE, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height * width, 4)[:, :3]
    palette, indices = reduced(pixels)
    # Each line begins with its filter: none.
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
    """Return a palette, (colours, 3), and for each pixel its nearest colour in it."""
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    unique, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1).astype(np.float32)
    palette = colours
    for close in CLOSE if len(colours) > COLOURS else ():
        _, box = np.unique(colours // close, axis=0, return_inverse=True)
        weight = np.bincount(box, counts)
        mean = [np.bincount(box, counts * channel) / weight for channel in colours.T]
        most = np.argsort(weight)[::-1][:COLOURS]
        palette = np.stack(mean, axis=1)[most].round().astype(np.float32)
        if weight[most].sum() >= ENOUGH * len(pixels):
            break
    far = ((colours[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2)
    nearest = cast("NDArray[np.uint8]", far.argmin(axis=1).astype(np.uint8))
    return palette.astype(np.uint8), nearest[inverse]


def chunk(name: bytes, content: bytes) -> bytes:
    """One part of a PNG file."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
