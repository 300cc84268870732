"""Kedro datasets for what kedro-datasets lacks: photo folders, image stacks, pictures, Keras 3."""
