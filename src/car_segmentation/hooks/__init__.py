"""Hooks around a run: a small class for each duty, in the order in which they are called."""

from car_segmentation.hooks.cluster_choice import ClusterChoice
from car_segmentation.hooks.data_lock import DataLock
from car_segmentation.hooks.data_parameters import DataParameters
from car_segmentation.hooks.dataset_versions import DatasetVersions
from car_segmentation.hooks.joint_training import JointTraining
from car_segmentation.hooks.keras_start import KerasStart
from car_segmentation.hooks.mlflow_run import MlflowRun, ResumedRun
from car_segmentation.hooks.mlflow_session import MlflowSession
from car_segmentation.hooks.parameter_checks import ParameterChecks
from car_segmentation.hooks.raw_data_copy import RawDataCopy
from car_segmentation.hooks.report_provenance import ReportProvenance
from car_segmentation.hooks.result_summary import ResultSummary
from car_segmentation.hooks.session import Session
from car_segmentation.hooks.start_model import StartModel
from car_segmentation.hooks.tracking_server import TrackingServer
from car_segmentation.hooks.user_errors import UserErrors


def project_hooks() -> tuple[object, ...]:
    """The hooks of the project, which share what they know of the running session."""
    session = Session()
    called = (
        ParameterChecks(session),
        DatasetVersions(),
        TrackingServer(),
        StartModel(session),
        JointTraining(),
        DataParameters(session),
        KerasStart(session),
        RawDataCopy(session),
        DataLock(session),  # After all that refuses a run, or the lock would be left.
        ClusterChoice(session),
        ResumedRun(session),
        MlflowRun(session),
        MlflowSession(),
        ReportProvenance(session),
        ResultSummary(session),
        UserErrors(),
    )
    # Kedro calls first what it was given last. kedro-mlflow, which it is given after all of these,
    # comes after those that ask to be first, and before the others.
    return tuple(reversed(called))
