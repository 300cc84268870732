import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.parameters.merge import merge_parameters

BASE = {
    "seed": 42,
    "network": {"architecture": "segnet_unet", "filters": [8, 16], "fold": 1},
    "training": {"epochs": 30, "stages": [{"until": 1.0}]},
    "split": {"fractions": {"train": 0.7, "test": 0.3}, "fold": 0},
    "search": {"trials": 30, "space": {"training.loss": {"choices": ["dice"]}}},
}


@pytest.mark.parametrize(
    ("changes", "group", "expected"),
    [
        ({"training": {"epochs": 2}}, "training", {"epochs": 2, "stages": [{"until": 1.0}]}),
        ({"training": {"stages": []}}, "training", {"epochs": 30, "stages": []}),
        (
            {"split": {"fractions": {"train": 0.5}}},
            "split",
            {"fractions": {"train": 0.5, "test": 0.3}, "fold": 0},
        ),
        ({"seed": 1}, "seed", 1),
        (
            {"network": {"architecture": "segnet_unet", "fold": 2}},
            "network",
            {"architecture": "segnet_unet", "filters": [8, 16], "fold": 2},
        ),
        # Another architecture has none of these options.
        (
            {"network": {"architecture": "unet", "encoder": "vgg16"}},
            "network",
            {"architecture": "unet", "encoder": "vgg16"},
        ),
        (
            {"search": {"space": {"network.fold": 1}}},
            "search",
            {"trials": 30, "space": {"network.fold": 1}},
        ),
    ],
)
def test_what_is_named_changes_and_the_rest_stays(changes, group: str, expected) -> None:
    merged = merge_parameters(BASE, changes)
    assert merged[group] == expected
    assert {name: merged[name] for name in BASE if name != group} == {
        name: value for name, value in BASE.items() if name != group
    }


def test_a_run_may_change_one_entry_of_what_an_environment_names_in_full() -> None:
    given = {"search": {"space": {"training.loss": {"choices": ["lovasz"]}}}}
    merged = merge_parameters(BASE, given, entire=())
    assert merged["search"] == {
        "trials": 30,
        "space": {"training.loss": {"choices": ["lovasz"]}},
    }


GROUPS = st.recursive(
    st.integers() | st.none() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
PARAMETERS = st.dictionaries(st.sampled_from("abc"), GROUPS)


@given(PARAMETERS, PARAMETERS)
def test_merging_twice_is_merging_once(base, changes) -> None:
    once = merge_parameters(base, changes)
    assert merge_parameters(once, changes) == once
    assert merge_parameters(base, {}) == base
