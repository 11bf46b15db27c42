"""The protocol's version and limits, which both sides must know."""

PROTOCOL = 6
"""Version of the protocol; a panel and a kernel must have the same one."""

FULL_HEAD_LIMIT = 512
"""A head with more than `FULL_HEAD_LIMIT` squared weights is not sent as a whole, but as top-k
weights and tiles."""

MAX_MESSAGE_BYTES = 64 << 20
"""Maximum size of the buffers of one message; a larger payload is refused before it is
computed."""

TILE_ONE = 254
"""The byte for a weight of 1 in a tile; 255 stands for NaN."""
