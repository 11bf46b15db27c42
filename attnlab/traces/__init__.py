"""What one run of a model left behind, and the numbers that follow from it.

A `Trace` holds the recorded attention calls as sites; `weights` is the one place that
turns their scores into weights; `thumbnails` pools those into small pictures;
`certificate` checks them against what the model's own kernel returned; `store` keeps
the newest traces within a budget of memory.
"""
