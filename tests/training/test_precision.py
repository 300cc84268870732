import logging
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.networks import model_file
from car_segmentation.networks.model_file import read_model
from car_segmentation.networks.precision import computes_in_half
from car_segmentation.networks.registry import build_network
from car_segmentation.training import precision as module
from car_segmentation.training.precision import precision, with_precision
from tests.support.trainings import TRAINING

AUTO = TRAINING.model_copy(update={"precision": "auto"})
HALF = TRAINING.model_copy(update={"precision": "mixed_bfloat16"})


@pytest.mark.parametrize(("fast", "chosen"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_auto_is_what_the_processor_is_fast_in(
    fast: bool, chosen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: fast)
    with caplog.at_level(logging.INFO):
        assert with_precision(AUTO) == TRAINING.model_copy(update={"precision": chosen})
    assert f"training.precision: {chosen}, since this processor" in caplog.text


def test_a_precision_that_was_asked_for_stays_with_a_warning_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_has_accelerator", lambda: False)
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: True)
    assert with_precision(HALF) is HALF
    assert with_precision(TRAINING) is TRAINING
    assert not caplog.messages
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: False)
    assert with_precision(HALF) is HALF
    assert len(caplog.messages) == 1
    assert "training.precision = mixed_bfloat16: this processor has no hardware" in caplog.text


@pytest.mark.parametrize("fast", [True, False])
def test_a_model_of_half_precision_is_read_in_what_is_fast(
    fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "multiplies_bfloat16", lambda: fast)
    with precision("mixed_bfloat16"):
        network = build_network("segnet_unet", 32, 32, filters=[4, 8], centre_filters=8)
    network.save(tmp_path / "model.keras")
    model = read_model(tmp_path / "model.keras")
    assert computes_in_half(model) is fast
    assert all(
        np.array_equal(a, b)
        for a, b in zip(model.get_weights(), network.get_weights(), strict=True)
    )
    photos = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    # bfloat16 has 8 bits: three digits.
    assert model.predict_on_batch(photos) == pytest.approx(
        network.predict_on_batch(photos), abs=0.02
    )
