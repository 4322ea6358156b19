"""The paper's experiments again: ``san-stream reproduce``."""
