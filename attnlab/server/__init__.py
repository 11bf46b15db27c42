"""The language server: typed messages, their dispatcher, and the handlers that answer."""
