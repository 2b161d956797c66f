"""The console page over HTTP: its files, how they are cached, what a browser may do with them."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp

from runtime.gateway.http.page import DIRECTORY, LEFT_OUT, TYPES, read_files
from tests.support.gateway_rig import gateway_rig

COLD_BYTES = 60_000
HEAD_BYTES = 320  # of each answer, about


async def get(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(
            method, f"http://127.0.0.1:{port}{path}", headers=headers, allow_redirects=False
        ) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def test_the_page_is_served_packed_and_under_its_policy() -> None:
    async with gateway_rig() as rig:
        status, body, headers = await get(rig.port, "/", **{"Accept-Encoding": "gzip, br"})
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body) == (DIRECTORY / "index.html").read_bytes()
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "font-src 'self'; manifest-src 'self'; img-src 'self' data:; media-src 'self'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        status, plain, headers = await get(rig.port, "/main.js", **{"Accept-Encoding": "identity"})
        assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        assert plain == LEFT_OUT.sub(b"", (DIRECTORY / "main.js").read_bytes())
        assert plain.startswith(b"\nimport ")
        assert "Content-Security-Policy" not in headers  # it is no document
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        icon = (await get(rig.port, "/icon.svg"))[2]
        assert "Content-Security-Policy" in icon


def test_what_is_left_out_of_a_script_are_comments_and_indentation(tmp_path: Path) -> None:
    scripts = sorted(DIRECTORY.glob("*.js"))
    assert len(scripts) > 50
    for path in scripts:
        source = path.read_bytes()
        for each in LEFT_OUT.findall(source):
            assert b"${" not in each, (path.name, each)  # a piece of a text that is made
        (tmp_path / path.name).with_suffix(".mjs").write_bytes(LEFT_OUT.sub(b"", source))
    script = b"a // b\n  // c\n/** d\n * e */\n  f /* g */\n\th\n"
    assert LEFT_OUT.sub(b"", script) == b"a // b\nf /* g */\nh\n"
    assert (
        LEFT_OUT.sub(b"", b"/* a */\n@media b {\n  c { d: e }\n}\n")
        == b"@media b {\nc { d: e }\n}\n"
    )
    if shutil.which("node") is not None:
        files = [str(path) for path in tmp_path.glob("*.mjs")]
        check = "for (const file of process.argv.slice(1)) new (require('vm').SourceTextModule)"
        check += "(require('fs').readFileSync(file, 'utf8'), { identifier: file })"
        options = ["--experimental-vm-modules", "--no-warnings", "-e", check, "--"]
        run = subprocess.run(["node", *options, *files], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr


async def test_what_a_browser_has_is_not_sent_again() -> None:
    async with gateway_rig() as rig:
        _, _, headers = await get(rig.port, "/style.css")
        assert headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": f'"other", W/{headers["ETag"]}'}
        status, body, again = await get(rig.port, "/style.css", **known)
        assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])


async def test_nothing_but_its_files_is_served() -> None:
    async with gateway_rig() as rig:
        for path in ("/page.py", "/libraries", "/libraries/", "/../http/page.py", "/%2e%2e/x.js"):
            assert (await get(rig.port, path))[:2] == (404, b"Not Found"), path
        assert (await get(rig.port, "/main.js", "POST"))[0] == 404
        assert (await get(rig.port, "/main.js", "HEAD"))[:2] == (200, b"")


async def test_it_is_moved_and_switched_off_by_the_configuration() -> None:
    async with gateway_rig(controlUi={"basePath": "/console"}) as rig:
        assert (await get(rig.port, "/"))[0] == 404
        assert (await get(rig.port, "/console/"))[0] == 200
        assert (await get(rig.port, "/console/libraries/preact.js"))[0] == 200
        status, _, headers = await get(rig.port, "/console")
        assert (status, headers["Location"]) == (308, "/console/")
    async with gateway_rig(controlUi={"enabled": False}) as rig:
        assert (await get(rig.port, "/"))[:2] == (404, b"Not Found")


def imports_of(path: Path) -> list[Path]:
    """Return what a module imports at once; ``import()`` comes later."""
    pattern = r"""\bfrom\s*["'](\.[^"']+)["']|^import\s*"([^"]+)";"""
    found = re.findall(pattern, path.read_text(), re.M)
    return [(path.parent / (a or b)).resolve() for a, b in found]


def loaded_at_once() -> set[Path]:
    """Return the modules that the first page needs."""
    waiting, found = [DIRECTORY / name for name in ("start.js", "main.js", "fleet.js")], set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imports_of(path)
    return found


def test_every_import_is_there_and_is_asked_for_first() -> None:
    for path in DIRECTORY.rglob("*.js"):
        for each in imports_of(path):
            assert each.is_file(), f"{path.name} imports {each}"
    index = (DIRECTORY / "index.html").read_text()
    preloaded = {
        (DIRECTORY / each).resolve()
        for each in re.findall(r'rel="modulepreload" href="([^"]+)"', index)
    }
    assert preloaded == loaded_at_once()


def test_the_page_is_light() -> None:
    files = read_files(DIRECTORY)
    at_once = [path.relative_to(DIRECTORY).as_posix() for path in loaded_at_once()]
    at_once += ["index.html", "style.css", "icon.svg"]
    assert sum(len(files[name].packed) + HEAD_BYTES for name in at_once) <= COLD_BYTES


def test_no_file_holds_what_the_policy_forbids() -> None:
    own = [path for path in DIRECTORY.rglob("*.*") if path.parent.name != "libraries"]
    for path in own:
        assert path.suffix in TYPES, f"{path.name} is not served"
        for forbidden in ("innerHTML", "outerHTML", "document.write", "eval(", "<style"):
            assert forbidden not in path.read_text(), f"{forbidden} in {path.name}"


def test_no_field_is_drawn_again_over_what_is_typed() -> None:
    """A field gets its ``value`` again each time it is drawn; only what follows it may have one."""
    fields = [
        (path.name, tag)
        for path in DIRECTORY.glob("*.js")
        for tag in re.findall(r"<(?:input|textarea)\b(?:[^<]|<(?=[^a-z/]))*", path.read_text())
    ]
    assert len(fields) > 20
    for name, tag in fields:
        if re.search(r"\s(value|checked)=", tag):
            assert re.search(r"\son(Input|Change)=", tag), f"{name}: {tag}"
