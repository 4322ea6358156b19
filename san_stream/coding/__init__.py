"""The entropy coder and the layers of CODE messages (docs/format.md)."""
