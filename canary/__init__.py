"""Which releases of other projects attnlab is tested on: locked, newest and oldest."""
