"""Records what happens inside a forward pass without changing it.

A watched model call passes through the packages from the top of the import contract to the
bottom: `watch.observing` opens the gate (`hooks`), which records a call (`passes`) while the model
runs unchanged. Each attention call is noted with its arguments (`reading`, or `tap` for models
outside transformers' interface) and becomes an `AttentionRecord`. `tokens` and `feed` find out
which text the model read. The watcher receives a `RecordedCall`, or a `Refusal` with the reason
why there is none.

Only this package imports transformers, and none of its modules imports torch or transformers
before the notebook does.
"""
