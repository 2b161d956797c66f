from __future__ import annotations

import aiohttp
import pytest

from workers.testing.fakes.slack import fake_slack
from workers.testing.fakes.slack_apps import Clock, FakeApp, RefusedMethod
from workers.testing.fakes.slack_files import FakeFiles


def test_a_file_is_completed_once_it_is_uploaded() -> None:
    files, app = FakeFiles(Clock()), FakeApp("1")
    made = files.run(app, "getUploadURLExternal", {"filename": "a", "length": "3"}, None)
    named = {"files": f'[{{"id": "{made["file_id"]}"}}]'}
    with pytest.raises(RefusedMethod, match="file_not_found"):
        files.run(app, "completeUploadExternal", named, None)
    files.files[made["file_id"]].content = b"123"
    assert files.run(app, "completeUploadExternal", named, None)["files"][0]["title"] == "a"
    assert app.sent == [], "without a channel it is seen by no person"


async def test_content_is_taken_once_with_its_length_and_without_a_token() -> None:
    async with fake_slack() as fake, aiohttp.ClientSession() as session:
        asked = {"filename": "a", "length": "3"}
        place = fake.files.run(FakeApp("1"), "getUploadURLExternal", asked, None)["upload_url"]

        async def status(content: bytes, **headers: str) -> int:
            async with session.post(place, data=content, headers=headers) as response:
                return response.status

        assert await status(b"1234") == 400
        assert await status(b"123", Authorization="Bearer xoxb-1") == 404
        assert await status(b"123") == 200
        assert await status(b"123") == 404
