"""The kernel's server: messages, their dispatcher, the session, and request handlers."""
