"""Servers and loaders that tests put an exported SavedModel into."""
