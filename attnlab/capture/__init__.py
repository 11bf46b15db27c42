"""What happens inside a forward pass, recorded without changing it.

A watched model call goes through here like this: `watch.observing` opens the
gate, `interposition` notes each attention call while the model runs untouched,
`attention` reads such a call into a `Record`, `encodings` finds out which
tokens the model read, and the whole reaches the watcher as a `Call`, or as a
`Refusal` that says why there is none.

Only this room knows transformers, and none of its modules imports torch or
transformers before the notebook itself has.
"""
