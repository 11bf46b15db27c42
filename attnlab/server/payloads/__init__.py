"""The arrays that panels request: for each kind, a function that describes and computes it.

To add a kind, define its message types in `messages.payloads`, write a function that returns
its `LazyPayload`, and add the function to `kinds.KINDS`.
"""
