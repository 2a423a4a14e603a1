"""Real clients against the fixtures, many at a time. All IOCs serve PVs of the same names,
so a client that finds another test's IOC gets a wrong value."""

from __future__ import annotations

from functools import partial

import pytest
from clients import Aioca, Caproto, OphydAsync, P4p, PvaPy, PyEpics, opened

OPHYD_CA, OPHYD_PVA = partial(OphydAsync, "ca"), partial(OphydAsync, "pva")
# Those that make a context for each test, and those that have one for a process.
NEW_CONTEXTS = [pytest.param(Caproto, id="caproto"), pytest.param(P4p, id="p4p")]
ONE_CONTEXT = [pytest.param(PyEpics, id="pyepics"), pytest.param(PvaPy, id="pvapy")]
ONE_CONTEXT_ASYNC = [
    pytest.param(Aioca, id="aioca"),
    pytest.param(OPHYD_CA, id="ophyd-ca"),
    pytest.param(OPHYD_PVA, id="ophyd-pva"),
]

CALLS = ["get", "put", "follow"]


def values(count):
    """Numbers of their own for each test, also to tell one IOC from another."""
    return [1.25 * number for number in range(1, count + 1)]


def check(client, call, prefix, value, set_value):
    """One call of a client, whose right answer only the IOC of this test gives."""
    set_value(value)
    if call == "get":
        assert client.get(f"{prefix}value") == value
    elif call == "put":
        client.put(f"{prefix}value", value + 1)
        assert client.get(f"{prefix}value") == value + 1
    else:
        assert client.follow(f"{prefix}value", lambda got: got == value) == value
        low = client.get(f"{prefix}count")
        assert client.follow(f"{prefix}count", lambda got: got > low + 2) > low + 2


async def check_async(client, call, prefix, value, set_value):
    set_value(value)
    if call == "get":
        assert await client.get(f"{prefix}value") == value
    elif call == "put":
        await client.put(f"{prefix}value", value + 1)
        assert await client.get(f"{prefix}value") == value + 1
    else:
        assert await client.follow(f"{prefix}value", lambda got: got == value) == value
        low = await client.get(f"{prefix}count")
        assert await client.follow(f"{prefix}count", lambda got: got > low + 2) > low + 2


def setter(ioc, prefix):
    """Sets the PV behind the client's back."""
    return lambda value: ioc.command(f"dbpf {prefix}value {value}")


@pytest.mark.epics_db("values.db", P="t:", V="-1")
@pytest.mark.parametrize("value", values(15))
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", NEW_CONTEXTS)
def test_a_new_context_finds_the_ioc_of_the_test(softioc, make, call, value):
    with opened(make()) as client:
        check(client, call, "t:", value, setter(softioc, "t:"))


@pytest.mark.epics_fresh_process
@pytest.mark.epics_db("values.db", P="t:", V="-1")
@pytest.mark.parametrize("value", values(4))
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", ONE_CONTEXT)
def test_a_fresh_process_finds_the_ioc_of_the_test(softioc, make, call, value):
    check(make(), call, "t:", value, setter(softioc, "t:"))


@pytest.mark.asyncio
@pytest.mark.epics_fresh_process
@pytest.mark.epics_db("values.db", P="t:", V="-1")
@pytest.mark.parametrize("value", values(4))
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", ONE_CONTEXT_ASYNC)
async def test_a_loop_in_a_fresh_process_finds_the_ioc_of_the_test(softioc, make, call, value):
    await check_async(make(), call, "t:", value, setter(softioc, "t:"))


@pytest.mark.parametrize("value", values(4))
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", ONE_CONTEXT)
def test_one_context_finds_the_ioc_of_the_session(softioc, make, call, value):
    check(make(), call, "session:", value, setter(softioc, "session:"))


@pytest.mark.asyncio
@pytest.mark.parametrize("value", values(4))
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("make", ONE_CONTEXT_ASYNC)
async def test_one_context_of_coroutines_finds_the_ioc_of_the_session(softioc, make, call, value):
    await check_async(make(), call, "session:", value, setter(softioc, "session:"))
