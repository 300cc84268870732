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
