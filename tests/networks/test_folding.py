from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from car_segmentation.networks.folding import fold_batch_norm

SHAPE = (6, 8, 3)
Tensor = keras.KerasTensor


def as_after_a_training(network: keras.Model) -> keras.Model:
    """Give batch normalisation statistics and factors as a training leaves them: of any value."""
    noise = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            as_after_a_training(layer)
        elif isinstance(layer, layers.BatchNormalization):
            layer.set_weights([noise.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


def network_of(body: Callable[[Tensor], Tensor | list[Tensor]]) -> keras.Model:
    photo = keras.Input(SHAPE)
    return as_after_a_training(keras.Model(photo, body(photo)))


def names(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers[1:]]


def assert_same_function(network: keras.Model, folded: keras.Model) -> None:
    photos = np.random.default_rng(1).uniform(0, 1, (2, *network.input_shape[1:]))
    expected = keras.tree.flatten(network.predict_on_batch(photos))
    for ours, theirs in zip(
        keras.tree.flatten(folded.predict_on_batch(photos)), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_convolution_gets_factor_and_offset() -> None:
    """Worked out by hand: the factor is 3 / √(3 + 1) = 1.5."""
    photo = keras.Input((1, 1, 1))
    x = layers.Conv2D(1, 1, name="convolution")(photo)
    network = keras.Model(photo, layers.BatchNormalization(epsilon=1.0)(x))
    network.layers[1].set_weights([np.full((1, 1, 1, 1), 2.0), np.array([1.0])])
    network.layers[2].set_weights([np.array([value]) for value in (3.0, 4.0, 5.0, 3.0)])
    folded = fold_batch_norm(network)
    assert names(folded) == ["convolution"]
    kernel, bias = folded.get_layer("convolution").get_weights()
    assert kernel.item() == pytest.approx(2 * 1.5)
    assert bias.item() == pytest.approx((1 - 5) * 1.5 + 4)


@pytest.mark.parametrize(
    "convolution",
    [
        layers.Conv2D(5, 3, padding="same", use_bias=False, name="c"),
        layers.Conv2D(6, 3, strides=2, groups=3, name="c"),
        layers.Conv2DTranspose(5, 2, strides=2, name="c"),
        layers.DepthwiseConv2D(3, use_bias=False, name="c"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="c"),
    ],
    ids=["without bias", "groups", "transposed", "depthwise", "depthwise, two each"],
)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_every_kind_of_convolution(convolution: keras.Layer, scale: bool, center: bool) -> None:
    convolution = type(convolution).from_config(convolution.get_config())
    norm = layers.BatchNormalization(scale=scale, center=center)
    network = network_of(lambda photo: layers.ReLU(name="relu")(norm(convolution(photo))))
    folded = fold_batch_norm(network)
    assert names(folded) == ["c", "relu"]
    assert_same_function(network, folded)


def _another_layer_sees_the_convolution(photo: Tensor) -> Tensor:
    x = layers.Conv2D(4, 3)(photo)
    return layers.Add()([x, layers.BatchNormalization()(x)])


def _the_convolution_is_an_output(photo: Tensor) -> list[Tensor]:
    x = layers.Conv2D(4, 3)(photo)
    return [x, layers.BatchNormalization()(x)]


def _the_convolution_is_used_twice(photo: Tensor) -> Tensor:
    convolution = layers.Conv2D(3, 3, padding="same")
    return convolution(layers.BatchNormalization()(convolution(photo)))


def _the_normalisation_is_used_twice(photo: Tensor) -> Tensor:
    norm = layers.BatchNormalization()
    parts = [norm(layers.Conv2D(4, 3)(photo)) for _ in range(2)]
    return layers.Add()(parts)


def _the_convolution_ends_in_an_activation(photo: Tensor) -> Tensor:
    return layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(photo))


def _there_is_no_convolution(photo: Tensor) -> Tensor:
    return layers.Conv2D(4, 3)(layers.BatchNormalization()(photo))


def _rows_are_normalised(photo: Tensor) -> Tensor:
    return layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3)(photo))


@pytest.mark.parametrize(
    "body",
    [
        _another_layer_sees_the_convolution,
        _the_convolution_is_an_output,
        _the_convolution_is_used_twice,
        _the_normalisation_is_used_twice,
        _the_convolution_ends_in_an_activation,
        _there_is_no_convolution,
        _rows_are_normalised,
    ],
)
def test_what_cannot_be_folded_stays(body: Callable[[Tensor], Tensor | list[Tensor]]) -> None:
    network = network_of(body)
    folded = fold_batch_norm(network)
    assert names(folded) == names(network)
    assert_same_function(network, folded)


def test_networks_inside_are_folded_and_the_original_stays() -> None:
    encoder = network_of(lambda photo: layers.BatchNormalization()(layers.Conv2D(4, 3)(photo)))
    encoder.trainable = False
    network = network_of(lambda photo: layers.Conv2D(2, 1)(encoder(photo)))
    before = network.to_json()
    folded = fold_batch_norm(network)
    assert network.to_json() == before
    assert [len(each.layers) for each in (encoder, folded.get_layer(encoder.name))] == [3, 2]
    assert len(folded.trainable_weights) == 2
    assert_same_function(network, folded)


def test_it_is_the_same_copy_each_time() -> None:
    """Its digest is that of the model, by which jobs are continued."""
    network = network_of(lambda photo: layers.BatchNormalization()(layers.Conv2D(4, 3)(photo)))
    one, two = fold_batch_norm(network), fold_batch_norm(network)
    assert one.to_json() == two.to_json()
    for ours, theirs in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_of_another_kind_is_left_as_it_is() -> None:
    network = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(2, 1)])
    assert fold_batch_norm(network) is network
