"""One-dimensional training as compiled code, see `san_training.compiled_fit`."""
