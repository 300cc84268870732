"""The networks, one file per architecture; what they share is in `blocks`.

- `registry`: `build_network` by name, `check_options`
- `any_size`: one network for photos of several sizes
- `keras_start`: import Keras quietly
- `model_file`, `model_check`: read a saved model, and check what it is
"""
