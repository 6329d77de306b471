# SPDX-License-Identifier: Apache-2.0
"""Write templates and assets that CloudFormation deploys without CDK: ``make dist``.

`build/dist/templates` gets a template for each stack and one that nests them; `build/dist/assets`
gets everything that `make publish` uploads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure.assets.bundle import ROOT, BundleError
from infrastructure.assets.sites import SitesError
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.without_cdk import FIXED, FIXED_VALUES
from infrastructure.templates.assets import Asset, pack
from infrastructure.templates.inputs import DistError
from infrastructure.templates.plans import GETTING_STARTED, content, getting_started, plans
from infrastructure.templates.template import Written, write

BUILD = ROOT / "build" / "dist"


def written(context: Mapping[str, Any], only: Sequence[str] = ()) -> dict[str, Written]:
    """Return the templates by name, all or those of ``only``; ``context`` fixes parameters.

    Raises DistError and others.
    """
    return {
        plan.name: write(plan, context) for plan in plans(context) if not only or plan.name in only
    }


def save(made: Mapping[str, Written], into: Path, settings: Mapping[str, str]) -> None:
    """Write the folders ``templates`` and ``assets``; an earlier build is deleted first.

    ``settings`` are the parameters that the templates fix; `make publish` checks others with them.
    """
    shutil.rmtree(into, ignore_errors=True)
    templates, folder = into / "templates", into / "assets"
    templates.mkdir(parents=True)
    folder.mkdir()
    (into / FIXED_VALUES).write_text(f"{json.dumps(dict(settings), indent=1, sort_keys=True)}\n")
    texts = {name: content(one.template) for name, one in made.items()}
    for name, core in GETTING_STARTED.items():
        if core not in made:
            continue
        nesting, files = getting_started(made, core)
        texts[name] = content(nesting)
        for key, text in files.items():
            (folder / key).write_bytes(text)
    for name, text in texts.items():
        (templates / f"{name}.template.json").write_bytes(text)
    assets: dict[str, Asset] = {}
    for one in made.values():
        assets |= one.assets
    for key, asset in assets.items():
        pack(asset, folder / key)


def fixed(settings: Sequence[str]) -> dict[str, str]:
    """Return the parameters that are fixed in the templates, from ``Name=value`` texts."""
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name not in FIXED:
            raise DistError(
                f"{setting!r} cannot be fixed in a template: write Name=value with one of "
                f"{', '.join(FIXED)}. Other parameters are given at the deployment."
            )
        found[name] = value
    return found


def main() -> int:
    """Write all templates and assets, and print where they are."""
    parser = argparse.ArgumentParser(prog="make dist", description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="Name=value", help="parameters to fix")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder, %(default)s")
    chosen = parser.parse_args()
    try:
        settings = fixed(chosen.settings)
        save(written(settings), chosen.output, settings)
    except (DistError, ParameterError, BundleError, SitesError) as error:
        print(error)
        return 1
    print(f"templates and assets are in {chosen.output}; next: make publish BUCKET=<your bucket>")
    return 0


if __name__ == "__main__":
    sys.exit(main())
