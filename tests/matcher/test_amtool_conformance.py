"""Our routes and classic matchers against the real `amtool config routes test`.

Each call of amtool takes a configuration and one label set, so that many trees go into one
configuration, side by side under a root, each child with `continue: true`.
"""

import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from alert_router.matcher import Matcher, MatcherError, Op, parse_classic
from alert_router.routing import Route, RouteTree
from tests.matcher.classic_matchers import CLASSIC, NEAR
from tests.programs import need

NAMES = ["a", "b", "c"]
VALUES = ["", "x", "y", "xy", "x\ny", 'q"\\', "ä"]
EXPRESSIONS = [
    "x",
    "x|y",
    "(x|q.*)",
    "x.*",
    ".*y",
    ".+",
    ".*",
    "|x",
    "",
    "(?s)x.*",
    "[xyä]",
    "(?i)X",
]

ASTRAL = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


def amtool(file: Path, labels: dict[str, str]) -> list[str] | None:
    """The receivers that the real route tree chooses; None if it refuses the configuration."""
    command = [need("amtool"), "config", "routes", "test", f"--config.file={file}"]
    pairs = [str(Matcher(name, Op.EQUAL, value)) for name, value in labels.items() if value]
    environment = {**os.environ, "HOME": str(file.parent)}
    done = subprocess.run(
        [*command, *pairs], capture_output=True, text=True, env=environment, check=False
    )
    return done.stdout.strip().split(",") if done.returncode == 0 else None


def write(folder: Path, root: dict[str, object], receivers: set[str]) -> Path:
    """An alertmanager.yml: JSON is YAML, but for its escapes of what is beyond U+FFFF."""
    file = folder / "alertmanager.yml"
    known = [{"name": name} for name in sorted(receivers)]
    text = json.dumps({"route": root, "receivers": known})
    text = ASTRAL.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), text)
    file.write_text(text, encoding="utf-8")
    return file


def as_config(route: Route) -> dict[str, object]:
    """A route as alertmanager.yml has it."""
    config: dict[str, object] = {"continue": route.continue_}
    if route.receiver:
        config["receiver"] = route.receiver
    if route.matchers:
        config["matchers"] = [str(matcher) for matcher in route.matchers]
    if route.routes:
        config["routes"] = [as_config(child) for child in route.routes]
    return config


def random_matcher(random: random.Random) -> Matcher:
    op = random.choice(list(Op))
    values = EXPRESSIONS if op in (Op.REGEX, Op.NOT_REGEX) else VALUES
    return Matcher(random.choice(NAMES), op, random.choice(values))


def random_route(random: random.Random, receivers: list[str], depth: int) -> Route:
    children = random.choice([0, 0, 1, 2, 3]) if depth else 0
    return Route(
        receiver=random.choice([None, *receivers]),
        matchers=tuple(random_matcher(random) for _ in range(random.choice([0, 1, 1, 1, 2]))),
        continue_=random.random() < 0.4,
        routes=tuple(random_route(random, receivers, depth - 1) for _ in range(children)),
    )


def random_labels(random: random.Random) -> dict[str, str]:
    return {name: random.choice(VALUES) for name in NAMES if random.random() < 0.8}


@pytest.mark.parametrize("seed", range(2))
def test_the_route_tree_equals_amtool(tmp_path: Path, seed: int):
    chance = random.Random(seed)
    trees, receivers = [], {"default"}
    for number in range(60):
        own = [f"{number}-{letter}" for letter in "rst"]
        receivers |= {*own, f"{number}-top"}
        routes = tuple(random_route(chance, own, depth=3) for _ in range(chance.randint(1, 6)))
        trees.append(Route(f"{number}-top", continue_=True, routes=routes))
    file = write(tmp_path, as_config(Route("default", routes=tuple(trees))), receivers)
    tree = RouteTree(Route("default", routes=tuple(trees)))
    told = set()
    for _ in range(20):
        labels = random_labels(chance)
        expected = amtool(file, labels)
        assert expected is not None
        assert list(tree.match(labels)) == list(dict.fromkeys(expected))
        told.update(expected)
    assert len(told) > 60  # the trees do choose


def one_matcher_each(folder: Path, texts: list[str]) -> Path:
    """A configuration that tells receiver n whether the alert meets the nth text."""
    routes = [
        {"matchers": [text], "receiver": str(number), "continue": True}
        for number, text in enumerate(texts)
    ]
    receivers = {"default", *map(str, range(len(texts)))}
    return write(folder, {"receiver": "default", "routes": routes}, receivers)


def test_classic_texts_are_parsed_as_by_amtool(tmp_path: Path):
    # A text without matchers is left out: what a route with it matches is not the parser's.
    taken = [text for text, expected in CLASSIC if expected]
    file = one_matcher_each(tmp_path, taken)
    values = {"", *(value for _, expected in CLASSIC for _, _, value in expected or ())}
    for value in sorted(values):
        for other in ("", "c", "e"):
            labels = {"a": value, "b": other, "d": other, "a:b": other}
            met = [
                str(number)
                for number, text in enumerate(taken)
                if all(matcher.matches(labels) for matcher in parse_classic(text))
            ]
            assert amtool(file, labels) == (met or ["default"]), labels


@pytest.mark.parametrize("text", [text for text, expected in CLASSIC if expected is None])
def test_classic_texts_are_rejected_as_by_amtool(tmp_path: Path, text: str):
    assert amtool(one_matcher_each(tmp_path, [text]), {"a": "b"}) is None


@given(st.lists(NEAR.filter(lambda text: "\ud800" not in text), min_size=15, max_size=15))
@settings(deadline=None, max_examples=10, phases=[Phase.generate], database=None)
def test_any_text_is_accepted_or_rejected_as_by_amtool(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
):
    taken, refused = [], []
    for text in texts:
        try:
            matchers = parse_classic(text)
        except MatcherError:
            refused.append(text)
        else:
            if matchers:
                taken.append((text, matchers))
    folder = tmp_path_factory.mktemp("any")
    file = one_matcher_each(folder, [text for text, _ in taken])
    for value in ("", "x", "a", 'x"'):
        labels = {"a": value, "b_1": value}
        met = [
            str(number)
            for number, (_, matchers) in enumerate(taken)
            if all(matcher.matches(labels) for matcher in matchers)
        ]
        assert amtool(file, labels) == (met or ["default"]), taken
    for text in refused[:3]:
        assert amtool(one_matcher_each(folder, [text]), {}) is None, text
