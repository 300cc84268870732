"""The provenance of a report."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Provenance:
    """When, where and from what a report was made, in words; what is not known is empty.

    Attributes:
        date: When the run began, in local time.
        environment: Of the configuration.
        data_set: The folder that the photos come from.
        run: The MLflow run, by name and id.
        commit: Of the code, and whether files were changed since.
        command: What to call for the same again.
    """

    date: str = ""
    environment: str = ""
    data_set: str = ""
    run: str = ""
    commit: str = ""
    command: str = ""

    def facts(self) -> dict[str, str]:
        """Known values, under the headings of the page."""
        known = asdict(self).items()
        return {name.replace("_", " ").capitalize(): text for name, text in known if text}
