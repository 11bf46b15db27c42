"""Handlers for the requests of panels, by topic."""
