"""Which release is the last known good one, where production says little."""

from typing import Any

from tests.playbooks.conftest import Ground


def silent_about_its_release(protocol: dict[str, Any]) -> None:
    """Point the health document at a page that names no release."""
    protocol["services"]["shop"]["health"] = "/"


def test_a_silent_production_serves_the_newest(broken: Ground) -> None:
    """Where nothing says which release answers, the newest is taken for it, even one that passed every journey."""
    broken.change(silent_about_its_release)
    state = broken.world.state()
    good = [one["sha"] for one in state["deployments"] if passed(state, one["sha"])][-1]
    source = broken.git("show", "main:shop/bundles.py") + "\n"
    right = source.replace("amounts[cheapest.product.sku]", "amounts[cheapest.product.name]")
    mended = broken.world.push({"shop/bundles.py": right}, "Mend bundles")
    broken.world.wait_until(lambda state: passed(state, mended), seconds=30)
    found: list[str] = []

    def look(service: str) -> None:
        from tasks.verify import find_last_known_good  # noqa: PLC0415 - loads Prefect

        found.append(find_last_known_good(service).commit)

    error = broken.play_body(look)

    assert found == [good]
    assert error is None


def passed(state: dict[str, Any], sha: str) -> bool:
    """Whether every journey passed on a release."""
    marks = state["statuses"].get(sha, [])
    return any(one["context"] == "crisis/journeys" and one["state"] == "success" for one in marks)
