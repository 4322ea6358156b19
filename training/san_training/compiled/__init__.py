"""Training as compiled code, see `san_training.compiled_fit`."""
