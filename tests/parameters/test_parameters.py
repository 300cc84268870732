from typing import Any

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import Stage, Training, check_parameters
from car_segmentation.parameters.messages import RENAMED, in_current_names
from tests.support.parameters import parameters


@pytest.mark.parametrize("env", ["base", "demo", "cpu", "gpu", "products"])
def test_every_environment_is_valid(env: str) -> None:
    check_parameters(parameters(env))


def test_base_is_the_posts_own_job() -> None:
    post = check_parameters(parameters())
    assert (post.image.height, post.image.width) == (1024, 1024)
    assert post.network.architecture == "segnet_unet"
    assert post.network.options["filters"] == [8, 16, 32, 64, 128, 256, 512]
    assert post.network.options["centre_filters"] == 1024
    assert (post.training.loss, post.training.optimizer) == ("bce_dice", "adam")
    assert (post.training.learning_rate, post.training.min_delta) == (1e-4, 1e-4)
    assert (post.training.batch_size, post.training.epochs, post.training.patience) == (2, 30, 2)
    assert (post.augmentation.shift, post.augmentation.scale) == (0.0625, 0.1)


def test_raw_data_can_be_given_for_one_run() -> None:
    assert parameters(raw_data="elsewhere")["raw_data"] == "elsewhere"


@pytest.mark.parametrize("env", ["base", "demo", "cpu", "products"])
@pytest.mark.parametrize("group", ["pairing", "split", "image", "inference"])
def test_one_name_of_a_group_can_be_given_for_one_run(env: str, group: str) -> None:
    before = parameters(env)
    name, value = next(iter(before[group].items()))
    given = {"mask_suffix": "_cut"} if group == "pairing" else {name: value}
    after = parameters(env, **{group: given})
    assert after == before | {group: before[group] | given}
    check_parameters(after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour: unknown parameter"),
        ({"image": {"height": 64}}, "image.width: missing"),
        ({"image": {"height": 64, "width": 64, "depth": 3}}, "image.depth: unknown parameter"),
        ({"image": {"height": "tall", "width": 64}}, "image.height = 'tall': input should be"),
        ({"image": {"height": 8, "width": 64}}, "image.height = 8: .* greater than or equal to 16"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_parameters(parameters() | change)


def changed(group: str, **values: Any) -> dict[str, Any]:
    all_parameters = parameters()
    return all_parameters | {group: all_parameters[group] | values}


def test_fractions_must_add_up() -> None:
    wrong = changed("split", fractions={"train": 0.5, "validation": 0.1, "test": 0.1})
    with pytest.raises(UserError, match=r"the fractions add up to 0\.7, not 1"):
        check_parameters(wrong)


def test_the_fold_must_exist() -> None:
    with pytest.raises(UserError, match="fold 5 does not exist: there are 5, from 0"):
        check_parameters(changed("split", folds=5, fold=5))


@pytest.mark.parametrize(("pattern", "message"), [("(", "not a valid pattern"), (".*", "car")])
def test_the_name_pattern_must_tell_cars(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_parameters(changed("pairing", name_pattern=pattern))


def staged(*stages: tuple[float, int, int]) -> dict[str, Any]:
    shown = [{"end_fraction": u, "mode": "crop", "height": h, "width": w} for u, h, w in stages]
    return changed("training", stages=shown)


def test_stages_follow_each_other_and_fit_into_photos() -> None:
    check_parameters(staged((0.5, 1024, 512), (1, 512, 1024)))
    with pytest.raises(
        UserError, match=r"training\.stages: one with end_fraction 0\.5 cannot follow"
    ):
        check_parameters(staged((0.5, 64, 64), (0.5, 64, 64)))
    with pytest.raises(UserError, match="2048×64 is larger than the photos, 1024×1024"):
        check_parameters(staged((0.5, 64, 2048)))
    with pytest.raises(UserError, match=r"training\.stages\.0\.end_fraction = 1\.5"):
        check_parameters(staged((1.5, 64, 64)))


@pytest.mark.parametrize(
    ("name", "searched", "message"),
    [
        ("training.learning_rat", {"low": 0.1, "high": 1.0}, "learning_rat: unknown parameter"),
        ("training", {"low": 0.1, "high": 1.0}, "training: unknown parameter"),
        ("image.height", {"choices": [16]}, "image.height cannot be searched, only .* network"),
        ("training.loss", {"choices": ["dice", "cross"]}, "training.loss = 'cross': input should"),
        ("training.momentum", {"low": 0.5, "high": 1.5}, "training.momentum = 1.5: .* less than 1"),
        ("training.batch_size", {"low": 1.0, "high": 8.0}, "training.batch_size = 3.59: "),
        ("training.batch_size", {"low": 8, "high": 1}, r"low \(8\) is not below high \(1\)"),
        ("training.momentum", {"low": 0, "high": 0.5, "log": True}, "logarithmic .* above 0"),
        ("training.momentum", {"low": 0.1}, "give choices, or low and high"),
        ("training.momentum", {"choices": [0.1], "log": True}, "choices stand alone"),
        (
            "training.epochs",
            {"low": 1, "high": 9, "step": 0.5},
            "steps of 0.5 do not stay on whole",
        ),
        (
            "network",
            {"choices": [{"space_to_depth": 1}]},
            "each of them a group with an architecture",
        ),
    ],
)
def test_a_space_that_cannot_be_searched_is_named(
    name: str, searched: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        check_parameters(changed("search", space={name: searched}))
    assert name in str(error.value) and len(str(error.value)) < 300


def test_all_problems_of_a_space_are_listed_at_once() -> None:
    space = {
        "training.loss": {"choices": ["cross"]},
        "colour": {"choices": ["red"]},
        "network": {"choices": [{"architecture": "segnet"}]},
        "network.space_to_depth": {"choices": [1]},
    }
    with pytest.raises(UserError) as error:
        check_parameters(changed("search", space=space))
    assert [name in str(error.value) for name in space] == [True] * 4
    assert str(error.value).count("\n") == 3


@pytest.mark.parametrize(
    ("group", "values", "name"),
    [
        ("training", {"clip_norm": 1.0}, "training.global_clipnorm"),
        ("training", {"stages": [{"show": "window"}]}, "training.stages.mode"),
        ("search", {"space": {"training.adam_rate": {"choices": [1]}}}, "adamw_lr_multiplier"),
        ("reporting", {"suspect_masks": 3}, "reporting.label_errors"),
        ("search", {"space": {"network.fold": {"choices": [1]}}}, "network.space_to_depth"),
        (
            "search",
            {"space": {"training.stages": {"choices": [[{"until": 1}]]}}},
            "training.stages.end_fraction",
        ),
        (
            "network_comparison",
            {
                "minutes": 1,
                "timed_steps": 1,
                "candidates": {
                    "one": {
                        "network": {"architecture": "segnet"},
                        "training": {"warmup_share": 0.1},
                    }
                },
            },
            "training.warmup_fraction",
        ),
    ],
)
def test_an_old_name_is_refused_with_the_new_one(
    group: str, values: dict[str, Any], name: str
) -> None:
    with pytest.raises(UserError, match=rf"is called .*{name} now"):
        check_parameters(changed(group, **values))


def test_all_renamed_parameters_are_there() -> None:
    known = set(Training.model_fields) | {f"stages.{name}" for name in Stage.model_fields}
    new = {name.removeprefix("training.") for name in RENAMED.values() if "training." in name}
    assert new and new <= known


def test_a_logged_run_of_an_earlier_version_has_current_names() -> None:
    logged = {
        "seed": "1",
        "network.fold": "2",
        "training.stages": "[{'until': 0.5, 'show': 'resized', 'edge_share': 0.9}]",
    }
    assert in_current_names(logged) == {
        "seed": "1",
        "network.space_to_depth": "2",
        "training.stages": (
            "[{'end_fraction': 0.5, 'mode': 'resize', 'edge_crop_probability': 0.9}]"
        ),
    }


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(UserError) as error:
        check_parameters(changed("training", epochs=0, loss="cross") | {"seed": "x"})
    assert str(error.value).count("\n") == 3


def test_the_beginning_of_a_runs_id_may_look_like_a_number() -> None:
    assert check_parameters(parameters(runs={"before": 123456})).runs.before == "123456"
    with pytest.raises(UserError, match=r"runs.before = .*: was read as a number with a fraction"):
        check_parameters(parameters(runs={"before": 8e12}))


def test_patterns_of_masks_must_have_the_fields_of_photos() -> None:
    given = {"name_pattern": "{car}_{view}", "mask_pattern": "{car}/masks/{view}.png"}
    assert check_parameters(changed("pairing", **given)).pairing.mask_pattern
    given = {"name_pattern": None, "mask_pattern": "mask_{number}"}
    with pytest.raises(UserError, match=r"'mask_\{number\}' has \{number\}, which name_pattern"):
        check_parameters(changed("pairing", **given))
    # Without a car, each photo is a group of its own.
    given = {"name_pattern": "image_{number}", "mask_pattern": "mask_{number}"}
    assert check_parameters(changed("pairing", **given)).pairing.name_pattern


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1, (1,)),
        ([1, 3], (1, 3)),
        ("bright", "bright"),
        ("car", ("car",)),
        (["#ff0000"], ("#ff0000",)),
    ],
)
def test_what_masks_mean_is_a_word_a_value_or_a_list(given: Any, read: Any) -> None:
    masks = check_parameters(changed("masks", foreground=given, ignore=255)).masks
    assert masks.foreground == read
    assert masks.ignore == (255,)
