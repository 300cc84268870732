"""What refuses a run comes before anything is begun or locked, as Kedro calls the hooks."""

from kedro.framework.hooks.manager import _create_hook_manager
from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

from car_segmentation.hooks import project_hooks


def called(hook: str) -> list[str]:
    """The classes whose method is called, in that order."""
    manager = _create_hook_manager()
    for project_hook in project_hooks():
        manager.register(project_hook)
    manager.register(mlflow_hook)  # Plugins come after the project's own.
    implementations = getattr(manager.hook, hook).get_hookimpls()
    return [type(each.plugin).__name__ for each in reversed(implementations)]


def test_a_run_is_begun_in_this_order() -> None:
    assert called("before_pipeline_run") == [
        *("StartModel", "JointTraining", "DataParameters", "KerasStart"),
        *("RawDataCopy", "DataLock", "ResumedRun"),
        "MlflowHook",
        *("ClusterChoice", "MlflowRun", "ReportProvenance"),
    ]


def test_parameters_and_server_are_looked_at_before_kedro_mlflow_and_the_registry_after() -> None:
    order = called("after_context_created")
    assert order == [
        "ParameterChecks",
        "TrackingServer",
        "RawDataCopy",
        "MlflowSession",
        "MlflowHook",
        "StartModel",
    ]


def test_a_run_is_described_before_it_ends_and_ended_last() -> None:
    order = called("after_pipeline_run")
    assert order.index("MlflowRun") < order.index("MlflowHook") < order.index("MlflowSession")
    assert called("on_pipeline_error")[-1] == "UserErrors"  # It raises, and so ends the others.
