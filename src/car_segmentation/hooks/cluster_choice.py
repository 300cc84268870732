"""Where photos are worked on: on this machine, or on a Dask cluster."""

from pathlib import Path

from kedro.framework.hooks import hook_impl

from car_segmentation.core.dask_cluster import Cluster, use_cluster
from car_segmentation.core.places import is_store
from car_segmentation.hooks.session import Session


class ClusterChoice:
    """Sends the work on photos to the cluster that the parameters name."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Choose the cluster, or this machine."""
        parameters = self._session.parameters
        if parameters.cluster is None:
            use_cluster(None)
            return
        folders = (parameters.raw_data, parameters.photos, parameters.data_folder)
        local = (folder for folder in folders if not is_store(folder))
        shared = (self._session.project_path / folder for folder in local)
        use_cluster(Cluster(parameters.cluster, tuple(filter(Path.exists, shared))))
