"""Downloads with limits, ETags and an untouched old file whenever something goes wrong."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from services.city.errors import CityDownloadError

MAX_BYTES = 512 * 1024 * 1024
TIMEOUT_S = 60.0
TOTAL_S = 1_800.0
USER_AGENT = "traboule (open-source mobility optimisation; city update)"

Progress = Callable[[str, float], None]


def fetch(
    url: str,
    target: Path,
    progress: Progress | None = None,
    data: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
    check: Callable[[Path], None] | None = None,
) -> bool:
    """Download `url` to `target`, which is replaced only when everything arrived and `check` found it good.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    target : Path
        Its ETag is kept beside it (``<name>.etag``) and sent the next time.
    progress : callable, optional
        Called with the file's name and the share received.
    data : dict, optional
        Form fields: sent with POST.
    max_bytes : int
        Larger answers are refused, whatever they claim to be.
    check : callable, optional
        Called with the temporary file; raises if it is unusable.

    Returns
    -------
    bool
        False if the source says that nothing changed.

    Raises
    ------
    CityDownloadError
        Naming the source and what it answered.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    headers = {"User-Agent": USER_AGENT, **_validators(url, target)}
    try:
        with (
            httpx.Client(follow_redirects=True, timeout=TIMEOUT_S, max_redirects=5) as client,
            client.stream("POST" if data else "GET", url, data=data, headers=headers) as answer,
        ):
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return False
            if answer.status_code != httpx.codes.OK:
                raise CityDownloadError(
                    f"{url}: answered {answer.status_code} {answer.reason_phrase}: check the URL, or try again later"
                )
            _receive(answer, temporary, target.name, max_bytes, progress)
            validators = {
                "url": url,
                "etag": answer.headers.get("etag", ""),
                "modified": answer.headers.get("last-modified", ""),
            }
        if check is not None:
            check(temporary)
        os.replace(temporary, target)
        _etag_file(target).write_text(json.dumps(validators) + "\n", encoding="utf-8")
        return True
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CityDownloadError(f"{url}: the download failed ({error or type(error).__name__}): is there internet?") from error
    finally:
        temporary.unlink(missing_ok=True)


def fetch_json(url: str, params: dict[str, str]) -> object:
    """Get a small JSON document.

    Raises
    ------
    CityDownloadError
        If the source fails or answers something else.
    """
    try:
        answer = httpx.get(url, params=params, headers={"User-Agent": USER_AGENT}, timeout=TIMEOUT_S, follow_redirects=True)
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CityDownloadError(f"{url}: no usable answer ({error}): is there internet?") from error


def _receive(answer: httpx.Response, path: Path, name: str, max_bytes: int, progress: Progress | None) -> None:
    expected = int(answer.headers.get("content-length") or 0)
    deadline, received = time.monotonic() + TOTAL_S, 0
    with open(path, "wb") as file:
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > max_bytes:
                raise CityDownloadError(
                    f"{answer.url}: sends more than {max_bytes / 1e6:.0f} MB: ask for a smaller area or file"
                )
            if time.monotonic() > deadline:
                raise CityDownloadError(
                    f"{answer.url}: is too slow ({received / 1e6:.0f} MB in {TOTAL_S:.0f} s): try again later"
                )
            file.write(chunk)
            if progress is not None:
                progress(name, min(received / expected, 1.0) if expected else 0.5)
    if not received:
        raise CityDownloadError(f"{answer.url}: sent nothing: try again later")


def _etag_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.etag")


def _validators(url: str, target: Path) -> dict[str, str]:
    try:
        known = json.loads(_etag_file(target).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not target.exists() or known.get("url") != url:
        return {}
    headers = {"If-None-Match": known.get("etag", ""), "If-Modified-Since": known.get("modified", "")}
    return {name: value for name, value in headers.items() if value}
