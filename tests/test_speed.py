"""Whether the judge of speed can tell."""

import pytest

from tests.speed import assert_linear


def test_work_that_grows_with_its_size_passes() -> None:
    assert_linear(lambda size: sum(range(size)), 20_000)
    assert_linear(lambda size: None, 20_000)


def test_work_that_grows_with_the_square_of_its_size_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="eight times the size takes"):
        assert_linear(lambda size: sum(range(size * size)), 300)
