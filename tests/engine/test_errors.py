"""Errors of the engine that pass from one process to another."""

import pickle

import pytest

from lbbic_engine.bitstream.entropy import EndOfStream
from lbbic_engine.errors import Cancelled, CorruptDataError, LbbicError
from lbbic_engine.parallel.pool import WorkerDied


@pytest.mark.parametrize(
    "error",
    [LbbicError("Title"), CorruptDataError("a", "b"), Cancelled(), EndOfStream(), WorkerDied()],
)
def test_an_error_survives_pickling(error: LbbicError) -> None:
    error.add_note("where it happened")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
