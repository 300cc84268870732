"""``kedro run`` of this project: an option that cannot be followed ends in one sentence.

Kedro reads the values of options, and makes the runner, before there is a session whose hooks could
say what is wrong with them.
"""

from copy import copy
from typing import Any

import yaml
from click import ClickException, Context, Group, Parameter, UsageError, pass_context
from kedro.framework.cli.project import run as run_of_kedro
from kedro.framework.cli.utils import KedroCliError
from kedro.runner import AbstractRunner
from kedro.utils import load_obj
from omegaconf.errors import OmegaConfBaseException

from car_segmentation.core.text import printable

MENDS = {
    "params": "Quote a text with signs of YAML once more, '--params=NAME=\"TEXT\"'; what has a "
    "comma can only be written into conf/.",
    "runner_params": "Write names and plain values, such as max_workers=4.",
    "load_versions": "Write DATASET:VERSION.",
    "config": "Write `run:`, and indented below it options and values, such as `env: demo`.",
}
"""What to do about the value of an option, by its name in Kedro."""
RUNNERS = (
    "Leave it away, or choose SequentialRunner or ThreadRunner, the latter with "
    "--runner-params=max_workers=4 if you like."
)


def _option(kedros: Parameter) -> Parameter:
    """An option of Kedro's that says so where it cannot read its value."""
    read, option = kedros.callback, copy(kedros)
    if read is None:
        return kedros

    def callback(context: Context, parameter: Parameter, value: Any) -> Any:
        try:
            return read(context, parameter, value)
        except UsageError:
            raise
        except (KedroCliError, yaml.YAMLError, OmegaConfBaseException, UnicodeError) as error:
            reason = getattr(error, "problem", None) or str(error).split("\n", maxsplit=1)[0]
        except (AttributeError, LookupError, TypeError):
            reason = "it is of another kind than Kedro expects"
        if "params" in option.name and "," in str(value):
            for item in value.split(","):  # Which one?
                callback(context, parameter, item)
        raise _refusal([f"{option.opts[0]}={value}"], reason, MENDS.get(str(option.name), ""))

    option.callback = callback
    return option


@pass_context
def _run(context: Context, **options: Any) -> Any:
    name, values = options["runner"], options["runner_params"]
    try:
        runner = load_obj(name or "SequentialRunner", "kedro.runner")(**values)
        reason = "" if isinstance(runner, AbstractRunner) else "it is no runner"
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        reason = str(error)
    if reason:
        words = [f"--runner={name}"] * bool(name)
        words += [f"--runner-params={key}={value}" for key, value in values.items()]
        raise _refusal(words, reason, RUNNERS)
    try:
        return context.invoke(run_of_kedro, **options)
    except KedroCliError as error:  # It would show itself as "NoneType: None".
        raise ClickException(error.message) from None


def _refusal(words: list[str], reason: str, mend: str) -> ClickException:
    return ClickException(
        printable(f"{' '.join(words)} cannot be used ({reason.rstrip('. ')}). {mend}")
    )


run = copy(run_of_kedro)
run.params = [_option(option) for option in run_of_kedro.params]
run.callback = _run
cli = Group("kedro", {"run": run})
