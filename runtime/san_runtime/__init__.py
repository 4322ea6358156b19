"""san_runtime"""
