"""Every scenario file, played against the real server by a Diameter stack that is not ours."""

import pytest

from tests.scenarios.scenario import FOLDER, read_scenario, scenario_files


@pytest.mark.parametrize(
    "path", scenario_files(), ids=lambda path: str(path.relative_to(FOLDER).with_suffix(""))
)
def test_call_flow_goes_as_it_is_written(perform, path):
    perform(read_scenario(path.stem, path.read_text(encoding="utf-8")))
