import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.networks.any_size import for_any_size
from car_segmentation.networks.registry import build_network, check_options


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'segmet'; choose one of: .*segnet_unet"):
        build_network("segmet", 64, 64)


def test_an_unknown_option_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"network\.depth: segnet_unet has no such option.*filters"):
        check_options("segnet_unet", {"depth": 7})


def test_an_old_name_of_an_option_is_refused_with_the_new_one() -> None:
    with pytest.raises(UserError, match=r"network\.fold: is called network\.space_to_depth now"):
        check_options("segnet_unet", {"fold": 2})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("filters", [8, -1]),
        ("filters", "many"),
        ("space_to_depth", 0),
        ("batch_norm_momentum", 1.0),
    ],
)
def test_an_option_of_a_wrong_type_or_range(option: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"network\.{option} = "):
        check_options("segnet_unet", {option: value})


def test_a_builder_of_ones_own_is_picked_by_its_path() -> None:
    network = build_network("tests.networks.test_build_network.my_network", 8, 8, channels=3)
    assert network.count_params() == 3 * 3 + 3
    with pytest.raises(UserError, match=r"network\.depth: .*my_network has no such option"):
        check_options("tests.networks.test_build_network.my_network", {"depth": 7})


@pytest.mark.parametrize("path", ["tests.networks.nowhere.my_network", "tests.networks.nothing"])
def test_a_path_that_leads_nowhere(path: str) -> None:
    with pytest.raises(UserError, match=f"network.architecture is '{path}'"):
        build_network(path, 8, 8)


def test_a_network_for_any_size_has_the_same_layers() -> None:
    network = build_network("segnet_unet", 32, 64, filters=[4, 4], centre_filters=8)
    flexible = for_any_size(network, [(16, 32), (64, 32)])
    assert flexible.weights == network.weights
    photos = np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3)).astype(np.uint8)
    assert flexible.predict_on_batch(photos) == pytest.approx(
        network.predict_on_batch(photos), abs=1e-6
    )
    assert flexible.predict_on_batch(photos[:, :16, :32]).shape == (2, 16, 32, 1)


def test_sizes_that_a_network_cannot_take() -> None:
    network = build_network("segnet_unet", 32, 64, filters=[4, 4], centre_filters=8)
    with pytest.raises(UserError, match="built for photos of 64×32, cannot be trained on 30×18"):
        for_any_size(network, [(16, 32), (18, 30)])
    # What is padded is cropped again by as much: sizes may differ by multiples.
    padded = build_network("segnet_unet", 30, 62, filters=[4, 4], centre_filters=8)
    assert for_any_size(padded, [(26, 30)]).weights == padded.weights
    with pytest.raises(UserError, match="cannot be trained on 32×24"):
        for_any_size(padded, [(24, 32)])


@pytest.mark.parametrize("architecture", ["segnet", "deconvnet", "fcn8s"])
def test_networks_that_are_made_for_one_size(architecture: str) -> None:
    if architecture == "fcn8s" and keras.backend.backend() == "jax":
        pytest.skip("JAX traces each size by itself, so that interpolation knows it.")
    network = build_network(architecture, 64, 64, width_multiplier=0.05)
    with pytest.raises(UserError, match=f"training.stages: .*{architecture}.* for one size"):
        for_any_size(network, [(32, 32)])


def test_unet_takes_any_size() -> None:
    network = build_network("unet", 64, 64)
    assert for_any_size(network, [(32, 64)]).weights == network.weights


def my_network(height: int, width: int, channels: int = 1) -> keras.Model:
    photo = keras.Input((height, width, 3))
    return keras.Model(photo, keras.layers.Conv2D(channels, 1)(photo))
