import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.hooks.parameter_checks import refuse_comments


@pytest.mark.parametrize(
    "words",
    [
        ["kedro", "run", "--params=inference.composites=#ffffff"],
        ["kedro", "run", "--params", "photos=a,inference.composites= #ffffff"],
    ],
)
def test_a_value_that_yaml_takes_for_a_comment_is_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"YAML takes .* 'inference\.composites=.#ffffff.'"):
        refuse_comments(words)


def test_a_hash_elsewhere_is_none_of_ours() -> None:
    refuse_comments(["pytest", "-k", "x=#1", '--params=inference.composites="#ffffff",a=b#c'])
    refuse_comments(["kedro", "run", "--params"])
