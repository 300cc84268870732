"""Pages of the site that are made from the code and from conf/, so that they cannot grow old.

A hook of MkDocs, named in mkdocs.yml. ``reference/parameters.md`` has every parameter with the
comment beside it, ``reference/pipelines.md`` every node, ``reference/code/`` every module's
docstrings. Under ``graph/`` goes what ``kedro viz build`` made, if it was called before.
"""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "car_segmentation"
CONF = ROOT / "conf"
GRAPH = ROOT / "build"
"""Where ``kedro viz build`` writes."""

REMOTE_FONTS = re.compile(rb"<link[^>]*fonts\.g[^>]*>")
NO_GRAPH = "<!doctype html><title>The graph</title><p>Call <code>make docs</code> to build it."
CHOSEN_NAMES = ("network_comparison.candidates", "search.space")
"""Parameters with names that users choose: those of other environments get no rows."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the graph, to the site."""
    pages = {
        "reference/parameters.md": parameters_page(),
        "reference/pipelines.md": pipelines_page(),
        "reference/code.md": code_page(),
        **{f"reference/code/{name}.md": page for name, page in module_pages()},
    }
    for name, page in pages.items():
        files.append(File.generated(config, name, content=page))
    for name, content in graph_files():
        files.append(File.generated(config, f"graph/{name}", content=content))
    return files


# Parameters --------------------------------------------------------------------------------------


@dataclass
class Parameter:
    """A line of a parameter file: its dotted name, its value as written, and its comment."""

    name: str
    value: str
    comment: str


@dataclass
class Section:
    """The parameters under one top-level name, and the comment above it."""

    name: str
    comment: str
    parameters: list[Parameter]


LINE = re.compile(
    r"""^(?P<indent>\ *)
    (?:(?P<name>[\w.]+):(?:\ +(?P<value>(?:'[^']*'|"[^"]*"|[^#'"])+?))?)?
    \ *(?:\#\ ?(?P<comment>.*))?$""",
    re.VERBOSE,
)


def read_sections(text: str) -> list[Section]:
    """Read a parameter file with its comments.

    A comment beside a parameter is its own, and so are the lines below that hold nothing but a
    comment further to the right. A comment above a parameter goes before that parameter's.
    """
    sections: list[Section] = []
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None:
            raise ValueError(f"a line of a parameter file cannot be read: {line!r}")
        indent, name, value = len(match["indent"]), match["name"], match["value"]
        comment = (match["comment"] or "").strip()
        if name is None:
            continued = comment and not above and sections and path and indent > path[-1][0]
            if continued and sections[-1].parameters and path[-1][1]:
                last = sections[-1].parameters[-1]
                last.comment = f"{last.comment} {comment}".strip()
            elif comment:
                above.append(comment)
            else:
                above.clear()
            continue
        path = [step for step in path if step[0] < indent] + [(indent, name)]
        said = " ".join([*above, comment]).strip()
        above.clear()
        if indent == 0:
            sections.append(Section(name, said if value is None else "", []))
        if value is not None:
            dotted = ".".join(step for _, step in path)
            sections[-1].parameters.append(Parameter(dotted, value.strip(), said))
        elif indent > 0 and said:
            # A comment on a group inside a group is said of its first parameter.
            above.append(said)
    return sections


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested dictionaries, with its dotted name."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def environments() -> dict[str, dict[str, Any]]:
    """The parameters that each environment but base has in its own files, by dotted names."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted([*CONF.glob("*/globals.yml"), *CONF.glob("*/parameters*.yml")]):
        if path.parent.name not in ("base", "local"):
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            found.setdefault(path.parent.name, {}).update(leaves(values))
    return found


def parameters_page() -> str:
    """A table of the parameters in each file of ``conf/base``."""
    others = environments()
    page = [
        "# Parameters",
        "",
        "Everything in `conf/base/globals.yml` and `conf/base/parameters*.yml`, with the comments "
        "that stand there. Where an "
        "environment, picked with `kedro run --env=NAME`, has another value, it is named. For one "
        "run, `--params=group.name=value` changes any of them. Every run checks names, types and "
        "ranges first (`parameters.py`).",
    ]
    base = CONF / "base"
    for path in [base / "globals.yml", *sorted(base.glob("parameters*.yml"))]:
        for section in read_sections(path.read_text(encoding="utf-8")):
            if section.parameters and section.parameters[0].value.startswith("${"):
                continue  # It only hands on one of the globals.
            page += ["", f"## {section.name}", "", section.comment, "", f"`conf/base/{path.name}`"]
            page += ["", "| name | value | what |", "|---|---|---|"]
            page += [
                f"| {code(parameter.name.removeprefix(section.name + '.'))} "
                f"| {code(parameter.value)}{elsewhere(parameter, others)} "
                f"| {cell(parameter.comment)} |"
                for parameter in section.parameters
            ]
            page += only_elsewhere(section, others)
    return "\n".join(page) + "\n"


def elsewhere(parameter: Parameter, others: dict[str, dict[str, Any]]) -> str:
    """The values of a parameter in environments where they differ from base."""
    base = yaml.safe_load(parameter.value)
    return "".join(
        f"<br>{environment}: {code(as_written(values[parameter.name]))}"
        for environment, values in others.items()
        if parameter.name in values and values[parameter.name] != base
    )


def only_elsewhere(section: Section, others: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Rows for parameters that base does not have."""
    known = {parameter.name for parameter in section.parameters}
    for environment, values in others.items():
        for name, value in values.items():
            if (
                name.split(".")[0] == section.name
                and name not in known
                and not any(f"{inner}." in f"{name}." for inner in (*CHOSEN_NAMES, *known))
            ):
                short = name.removeprefix(section.name + ".")
                yield f"| {code(short)} | {environment}: {code(as_written(value))} | |"


def as_written(value: Any) -> str:
    """A value as YAML would have it, on one line."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def code(text: str) -> str:
    """Text as code in a cell of a table."""
    return f"`{cell(text)}`"


def cell(text: str) -> str:
    """Text in a cell of a table, where a bar would end it."""
    return text.replace("|", "\\|")


# Pipelines ---------------------------------------------------------------------------------------


def pipelines_page() -> str:
    """A table of the nodes of each pipeline, in the order that they run."""
    from car_segmentation import pipelines as package
    from car_segmentation.pipeline_registry import register_pipelines

    registered = register_pipelines()
    page = [
        "# Pipelines",
        "",
        "`kedro run` runs `data_processing`, `modelling` and `reporting`; "
        "`kedro run --pipelines=NAME` runs one. Datasets are those of `conf/base/catalog.yml`.",
    ]
    for name, pipeline in registered.items():
        if name == "__default__":
            continue
        about = inspect.getdoc(getattr(package, name)) or ""
        page += ["", f"## {name}", "", first_sentence(about), ""]
        page += ["| node | what it does | takes | gives |", "|---|---|---|---|"]
        page += [
            f"| {code(node.short_name)} | {cell(first_sentence(inspect.getdoc(node.func) or ''))} "
            f"| {listed(node.inputs)} | {listed(node.outputs)} |"
            for node in pipeline.nodes
        ]
    return "\n".join(page) + "\n"


def listed(names: list[str]) -> str:
    """Names of datasets and parameters, as code."""
    return ", ".join(code(name) for name in names) or "–"


def first_sentence(docstring: str) -> str:
    """The summary of a docstring, on one line."""
    return " ".join(docstring.split("\n\n", maxsplit=1)[0].split())


# Code --------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, str]]:
    """Dotted name and one-line description of every module with a docstring of its own."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        about = first_sentence(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
        if about and parts[-1] != "__main__":
            yield ".".join(part for part in parts if part != "__init__"), about


def code_page() -> str:
    """A table of the modules in each folder."""
    page = [
        "# Code",
        "",
        "`src/car_segmentation`, module by module. "
        "[How it works](../how_it_works.md#where-things-are) says what each folder is for.",
    ]
    folders: dict[str, list[str]] = {}
    for name, about in modules():
        parts = name.split(".")
        is_folder = (SOURCE / Path(*parts)).is_dir()
        folder = ".".join(parts if is_folder else parts[:-1])
        row = f"| [`{name.removeprefix('car_segmentation.')}`](code/{name}.md) | {cell(about)} |"
        folders.setdefault(folder, []).append(row)
    for folder, rows in folders.items():
        page += ["", f"## {folder}", "", "| module | |", "|---|---|", *rows]
    return "\n".join(page) + "\n"


def module_pages() -> Iterator[tuple[str, str]]:
    """For each module, its name and a page of its docstrings."""
    for name, _ in modules():
        # The whole package would be all of the modules again.
        options = "" if "." in name else "    options: {members: false}\n"
        yield name, f"# {name}\n\n::: {name}\n{options}"


# The graph ---------------------------------------------------------------------------------------


def graph_files() -> Iterator[tuple[str, bytes | str]]:
    """Files of the static Kedro-Viz, without remote fonts and this machine's paths."""
    if not (GRAPH / "api" / "main").is_file():
        yield "index.html", NO_GRAPH
        return
    for path in sorted(GRAPH.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.is_relative_to(GRAPH / "api"):
                content = content.replace(f"{ROOT}/".encode(), b"")
            elif path.suffix == ".html":
                content = REMOTE_FONTS.sub(b"", content)
            yield path.relative_to(GRAPH).as_posix(), content
