"""The commands: one small module each; flags are defined here only."""
