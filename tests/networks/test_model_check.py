"""Models that are not ours are refused with a sentence, whatever makes them unfit."""

import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.models import ChosenModelDataset
from car_segmentation.experiments import model_registry
from car_segmentation.networks.model_check import check_model
from car_segmentation.networks.model_file import read_model
from car_segmentation.networks.registry import build_network
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.build import build_predictor
from car_segmentation.serving.photo_model import current_version, load_model
from tests.support.unfit_models import SIZE, UNFIT, model_of, unfit_files, with_code


@pytest.mark.parametrize("problem", UNFIT)
def test_a_model_of_another_kind_is_refused_by_what_it_is(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    UNFIT[problem]().save(path)
    with pytest.raises(UserError) as refusal:
        read_model(path)
    assert str(refusal.value).startswith(f"{path} is not a model of this project: ")
    assert problem in str(refusal.value)


ENTRANCES: dict[str, Callable[[Path], object]] = {
    "model": lambda path: ChosenModelDataset(str(path)).load(),
    "ensemble": lambda path: build_predictor(
        model_of(), PredictionOptions(batch_size=1, ensemble=[str(path)])
    ),
    "service": lambda path: load_model(str(path), current_version(str(path))),
    "registry": lambda path: load_model(str(path.parent), "1"),
}
"""Where a model comes in from outside."""


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_entrance_refuses_with_one_sentence_that_names_the_file(
    entrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    monkeypatch.setattr(model_registry, "network_file", lambda _: nullcontext(path))
    (tmp_path / "threshold.json").write_text('{"threshold": 0.5}')
    unfit = unfit_files(path)
    assert len(unfit) == len(UNFIT) + 7
    for problem, content in unfit.items():
        path.write_bytes(content)
        with pytest.raises(Exception) as refusal:  # noqa: PT011  Kedro wraps it.
            ENTRANCES[entrance](path)
        error = refusal.value if isinstance(refusal.value, UserError) else refusal.value.__cause__
        assert isinstance(error, UserError), problem
        assert str(path) in str(error), problem
        assert "\n" not in str(error), problem


@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid"])
def test_what_gives_probabilities_is_taken_and_not_run(activation: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model_of(activation=activation).save(path)
    assert read_model(path).output_shape == (None, *SIZE, 1)


@pytest.mark.filterwarnings("ignore:You are using a softmax")
def test_a_softmax_of_one_channel_is_within_the_range() -> None:
    check_model(model_of(activation="softmax"), "it")


def test_a_network_padded_and_cropped_is_ours() -> None:
    check_model(build_network("segnet_unet", 33, 47, filters=[4, 8], centre_filters=8), "it")


def test_files_that_are_not_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model_of().save(path)
    whole = path.read_bytes()
    cut = [whole[: len(whole) * part // 5] for part in range(1, 5)]
    for content in [b"", b"not a model\n", bytes(5000), *cut]:
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a Keras model"):
            read_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UserError, match="cannot be read as a Keras model"):
        read_model(path)
    with pytest.raises(UserError, match="There is no model in"):
        read_model(tmp_path)


def test_a_model_that_brings_code_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with_code().save(path)
    with pytest.raises(UserError, match=r"cannot be read as a Keras model: .*Lambda"):
        read_model(path)
