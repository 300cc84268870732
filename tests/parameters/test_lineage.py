import pytest

from car_segmentation.parameters.lineage import differences, effective, join, used

PARAMETERS = {
    "seed": 42,
    "split.seed": 42,
    "split.fold": 0,
    "network.architecture": "segnet_unet",
    "training.epochs": 2,
    "training.stages": [{"mode": "resize"}],
    "training.resume": True,
    "reporting.worst_photos": 3,
    "reporting.include_train": False,
}
RECORD = {
    "data_processing": used(["split", "seed"], PARAMETERS),
    "modelling": used(["network", "training", "seed"], PARAMETERS),
}


def test_a_step_is_recorded_with_what_changes_its_result() -> None:
    assert used(["training", "seed"], PARAMETERS) == {
        "seed": 42,
        "training.epochs": 2,
        "training.stages": [{"mode": "resize"}],
    }
    assert used(["reporting"], PARAMETERS) == {"reporting.include_train": False}
    assert used(["reporting.worst_photos"], PARAMETERS) == {}


def test_the_split_has_a_seed_of_its_own() -> None:
    assert RECORD["data_processing"] == {"split.seed": 42, "split.fold": 0}
    assert effective({"seed": 43, "split": {"seed": 42}})["split.seed"] == 42
    assert effective({"seed": 43, "split": {"seed": None}})["split.seed"] == 43


def test_a_run_with_the_same_parameters_has_no_differences() -> None:
    assert differences(RECORD, PARAMETERS) == []
    assert differences(RECORD, PARAMETERS | {"training.resume": False}) == []
    assert differences(RECORD, PARAMETERS | {"training.new_option": 1}) == []


@pytest.mark.parametrize(
    ("changed", "text", "pipelines"),
    [
        ({"split.fold": 1}, "split.fold = 0 (now 1)", ("data_processing",)),
        ({"seed": 43}, "seed = 42 (now 43)", ("modelling",)),
        (
            {"training.stages": []},
            'training.stages = [{"mode": "resize"}] (now [])',
            ("modelling",),
        ),
        (
            {"network.architecture": "unet"},
            "network.architecture = segnet_unet (now unet)",
            ("modelling",),
        ),
        # An option that the record has not, of a group that lists not all of them.
        ({"network.dropout": 0.1}, "network.dropout = null (now 0.1)", ("modelling",)),
    ],
)
def test_a_difference_names_both_values_and_who_used_it(changed, text, pipelines) -> None:
    (difference,) = differences(RECORD, PARAMETERS | changed)
    assert str(difference) == text
    assert difference.pipelines == pipelines


def test_a_parameter_of_two_pipelines_is_one_difference() -> None:
    record = {"data_processing": {"seed": 1}, "modelling": {"seed": 1}}
    (difference,) = differences(record, {"seed": 2})
    assert difference.pipelines == ("data_processing", "modelling")


def test_what_is_made_from_two_things_has_the_parameters_of_both() -> None:
    first = {"data_processing": {"a": 1}}
    second = {"data_processing": {"b": 2}, "modelling": {"c": 3}}
    assert join([first, second]) == {
        "data_processing": {"a": 1, "b": 2},
        "modelling": {"c": 3},
    }


def test_lists_and_tuples_are_the_same() -> None:
    assert effective({"network": {"filters": (4, 8)}}) == {"network.filters": [4, 8]}
