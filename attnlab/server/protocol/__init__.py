"""JSON-RPC: dispatching, validation, errors, and the thread that computes results."""
