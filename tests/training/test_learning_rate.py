import keras
import pytest

from car_segmentation.training.learning_rate import learning_rate
from tests.support.trainings import TRAINING

COSINE = TRAINING.model_copy(update={"schedule": "cosine", "warmup_fraction": 0.1})


def test_cosine_rises_then_falls_to_nothing() -> None:
    assert learning_rate(COSINE, 0, steps=100) == 0
    assert learning_rate(COSINE, 5, steps=100) == pytest.approx(0.005)
    assert learning_rate(COSINE, 10, steps=100) == pytest.approx(0.01)
    assert learning_rate(COSINE, 55, steps=100) == pytest.approx(0.005)
    assert learning_rate(COSINE, 100, steps=100) == pytest.approx(0, abs=1e-9)


def test_cosine_is_that_of_keras() -> None:
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=63, warmup_target=0.01, warmup_steps=7
    )
    for step in range(0, 70, 3):
        assert learning_rate(COSINE, step, steps=70) == pytest.approx(float(schedule(step)))


def test_a_plateau_multiplies_the_rate_each_time() -> None:
    plateau = TRAINING.model_copy(update={"schedule": "plateau", "plateau_factor": 0.5})
    rates = [learning_rate(plateau, 3, 9, reductions) for reductions in range(3)]
    assert rates == pytest.approx([0.01, 0.005, 0.0025])


def test_a_constant_rate_stays() -> None:
    assert {learning_rate(TRAINING, step, 9) for step in range(9)} == {0.01}
