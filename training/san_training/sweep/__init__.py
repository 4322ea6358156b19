"""Trainings over a grid of data and settings, on this machine or on a cluster."""
