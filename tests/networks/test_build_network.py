import keras
import pytest

from car_segmentation.errors import UserError
from car_segmentation.networks import build_network, check_options


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'segmet'; choose one of: .*segnet_unet"):
        build_network("segmet", 64, 64)


def test_an_unknown_option_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"network\.depth: segnet_unet has no such option.*filters"):
        check_options("segnet_unet", {"depth": 7})


@pytest.mark.parametrize(
    ("option", "value"),
    [("filters", [8, -1]), ("filters", "many"), ("fold", 0), ("batch_norm_momentum", 1.0)],
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


def my_network(height: int, width: int, channels: int = 1) -> keras.Model:
    photo = keras.Input((height, width, 3))
    return keras.Model(photo, keras.layers.Conv2D(channels, 1)(photo))
