"""What one run of a model left behind, and the numbers that follow from it.

A `Trace` holds the recorded attention calls as sites. `weights` is the one place that turns
their scores into weights; all else is read from there: `thumbnails` are small pictures of
whole heads, `tiles` parts of a head at any zoom (both by `pooling`), `edges` the heaviest
weights, `neuron` one query taken apart. `certificate` checks the weights against what the
model's own kernel returned; `store` keeps the newest traces within a budget of memory.
"""
