"""Traces: recorded model calls, and the numbers computed from them.

A `Trace` contains the recorded attention calls as sites. Only the module `weights` computes
weights from scores; the other modules use it: `whole_heads` reads all weights of a head,
`thumbnails` makes small images of whole heads, `tiles` shows parts of a head at any zoom (both
use `pooling`), `topk` finds the largest weights, and `neuron` computes the weights of one query
step by step. `bounds` checks the indices of a request. `certificate` compares the weights with
the model's output; `store` keeps the newest traces within a memory budget.
"""
