"""Tests of attnlab with other releases of its dependencies: locked, newest and oldest."""
