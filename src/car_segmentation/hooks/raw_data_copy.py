"""Raw data in an object store: a copy in the project's `data/01_raw`, made before it is read."""

import logging
import posixpath
from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from car_segmentation.core.errors import UserError
from car_segmentation.core.object_store import ObjectStore, State, is_plain_name
from car_segmentation.core.places import is_store
from car_segmentation.core.store_copy import copy_objects
from car_segmentation.hooks.config_loader import RESULTS
from car_segmentation.hooks.session import Session, user_errors_as_click

logger = logging.getLogger(__name__)

RAW = {"photo_files", "mask_files", "car_metadata"}
"""Entries of the catalog that are read from it."""
SMALL_FILES = ("metadata.csv", "labelmap.txt")


class RawDataCopy:
    """Replaces `raw_data`, if it is an address, by a folder with a copy of what is there."""

    def __init__(self, session: Session):
        self._session = session
        self._store: ObjectStore | None = None
        self._folder = Path()

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Have this run use the copy, as if it had been given the folder."""
        address = self._session.parameters.raw_data.rstrip("/")
        self._store = None
        if not is_store(address):
            return
        with user_errors_as_click():
            folder = _folder_of(address)
            self._store = ObjectStore.at(address)
            self._folder = self._session.project_path / folder
            loader, given = context.config_loader, self._session.given_parameters
            loader.runtime_params = (loader.runtime_params or {}) | {"raw_data": folder}
            self._session.begin(context)
            self._session.given_parameters = given  # An address in conf/ is not one that was given.

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Copy what is new, or has changed."""
        if self._store is None or not RAW & pipeline.inputs():
            return
        with user_errors_as_click():
            objects = self._objects(self._store)
            corrections = posixpath.normpath(self._session.parameters.corrections)
            copied = copy_objects(self._store, objects, self._folder, corrections)
        logger.info(
            "%s: %d of %d files were copied to %s",
            *(self._store, copied, len(objects), self._folder),
        )

    def _objects(self, store: ObjectStore) -> dict[str, State]:
        """The objects in the folders of photos and masks, and the files that go with them."""
        parameters = self._session.parameters
        given = parameters.annotations or ()
        annotations = [given] if isinstance(given, str) else given
        places = [parameters.photo_folder, parameters.mask_folder, *SMALL_FILES]
        others = [parameters.corrections, *annotations]
        places += [place for place in others if not Path(place).is_absolute()]
        objects: dict[str, State] = {}
        for place in dict.fromkeys(map(posixpath.normpath, places)):
            name = "" if place == "." else place
            objects |= store.files(name)
            single = ObjectStore(store.address_of(name), store.options).state()
            if single is not None:
                objects[name] = single
        return objects


def _folder_of(address: str) -> str:
    """The copy's folder in the project, such as ``data/01_raw/s3/bucket/carvana``.

    Raises:
        UserError: If the address is not a path.
    """
    protocol, _, path = address.partition("://")
    if not is_plain_name(path):
        raise UserError(f"raw_data = '{address}' has no bucket, or is not a path.")
    return f"{RESULTS}/01_raw/{protocol}/{path}"
