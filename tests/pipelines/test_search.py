"""What comes after the trials; whole searches are in ``tests/pipelines/test_search_run.py``."""

from dataclasses import asdict

import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from car_segmentation.parameters import check_parameters
from car_segmentation.pipelines.search.pipeline import create_pipeline
from tests.support.parameters import parameters
from tests.support.run_records import RECORDS


def test_trials_become_a_table_a_plot_and_parameters_that_can_be_run() -> None:
    given = parameters("demo")
    rate = {"low": 0.001, "high": 0.1, "log": True}
    given["search"]["space"] = {"training.learning_rate": rate}
    inputs = {f"params:{name}": value for name, value in given.items()} | {
        "search_records": [asdict(record) for record in RECORDS],
    }
    outputs = ["search_trials", "trials_plot", "best_parameters"]
    catalog = DataCatalog(
        {name: MemoryDataset(value) for name, value in inputs.items()}
        | {name: MemoryDataset(copy_mode="assign") for name in outputs}
    )
    SequentialRunner().run(create_pipeline().from_inputs("search_records"), catalog)

    table = catalog.load("search_trials")
    assert table["training.learning_rate"].tolist() == [0.01234, 0.1, 0.02]
    assert catalog.load("trials_plot").data
    best = yaml.safe_load(catalog.load("best_parameters"))
    assert best["training"] == given["training"] | {"learning_rate": 0.02}
    assert best["augmentation"] == given["augmentation"]
    # In an environment of its own, over base.
    checked = check_parameters(parameters() | best)
    assert checked.training.learning_rate == 0.02
    assert checked.image == check_parameters(given).image
    assert checked.registry.name == given["registry"]["name"]
