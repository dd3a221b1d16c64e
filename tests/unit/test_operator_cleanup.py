"""Cleaning up without CustomResourceDefinitions, which a real API server cannot spare."""

from __future__ import annotations

import asyncio

import pytest

from support.fake_api import FakeApi, answer, refuse, serving
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.client import Client
from vip_kube.errors import ApiError
from vip_operator.commands.cleanup import cleanup


async def clean_up(api: FakeApi) -> None:
    """Clean up against an API server where nothing is there but kinds."""
    async with Client(api.access(), user_agent="vip-operator/1") as client:
        await cleanup(client, "vips", "vip-operator.io/vip", 5.0)


async def test_kinds_that_are_gone() -> None:
    """Where our CRDs are gone already there is nothing of theirs to remove."""
    async with serving(FakeApi(VIRTUAL_ROUTERS)) as api:
        api.always("get", answer({"metadata": {"resourceVersion": "1"}, "items": []}))
        api.always("list", refuse(404, "NotFound"))
        async with asyncio.timeout(10):
            await clean_up(api)
        assert [each.path for each in api.asked if each.what in {"patch", "delete"}] == [
            "/apis/apps/v1/namespaces/vips/deployments/vip-operator/scale",
            "/apis/apps/v1/namespaces/vips/daemonsets/vip-speaker",
        ]


async def test_trouble_ends_it() -> None:
    """Any other answer than 'not there' ends it, before anything else is removed."""
    async with serving(FakeApi(VIRTUAL_ROUTERS)) as api:
        api.always("patch", refuse(503, "ServiceUnavailable"))
        with pytest.raises(ApiError, match="503"):
            await clean_up(api)
        assert api.count("delete") == 0
