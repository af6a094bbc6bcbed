"""The HTTP interface of the Hub on the loopback address, as far as its Python libraries use it; all in memory.

Small files of text are in the commits, others in a store of their own, at another host, as with Git LFS. There is no
Xet: clients have to be started with `HF_HUB_DISABLE_XET=1`. One account, whose token is `TOKEN`, may write.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

OWNER, TOKEN = "you", "hf_token_of_you"
REGULAR_BYTES = 10 * 10**6  # larger ones are not regular files


class Refusal(Exception):
    """Status, error code and headers of an answer that is none."""

    def __init__(self, status: int, code: str = "", **headers: str) -> None:
        super().__init__(status, code)
        self.status, self.code, self.headers = status, code, headers


@dataclass(frozen=True)
class File:
    content: bytes
    is_large: bool

    @property
    def git_id(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        """As listings tell it."""
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(self.content), "oid": self.git_id}
        if self.is_large:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}
        return entry


@dataclass
class Repository:
    """`commits` are complete: all files by path. `refs` are branches and tags."""

    is_private: bool
    is_gated: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def add(self, branch: str, files: dict[str, File]) -> str:
        commit = hashlib.sha1(f"{id(self)} {len(self.commits)}".encode()).hexdigest()
        self.commits[commit] = files
        self.refs[branch] = commit
        return commit

    def find(self, revision: str) -> str:
        commit = self.refs.get(revision, revision)
        if commit not in self.commits:
            raise Refusal(404, "RevisionNotFound")
        return commit

    def files(self, revision: str) -> dict[str, File]:
        return self.commits[self.find(revision)]


class Request(NamedTuple):
    method: str
    path: str
    range: str | None
    status: int


class Hub(ThreadingHTTPServer):
    """Repositories by kind (`models`, `datasets`) and id, and the answers that were given.

    After `cut_after` bytes the next download from the store breaks off.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.verified: set[str] = set()
        self.requests: list[Request] = []
        self.cut_after: int | None = None
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def store(self) -> str:
        return f"http://localhost:{self.server_port}/store"

    def files(self, id: str, kind: str = "models", revision: str = "main") -> dict[str, bytes]:
        """Contents of a repository."""
        return {path: file.content for path, file in self.repositories[kind, id].files(revision).items()}

    def put(self, id: str, files: dict[str, bytes], kind: str = "models", is_private: bool = False) -> Repository:
        """Make a repository with these files."""
        repository = self.repositories[kind, id] = Repository(is_private)
        repository.add("main", {path: File(content, is_binary(content)) for path, content in files.items()})
        return repository


def is_binary(sample: bytes) -> bool:
    return b"\0" in sample


class Handler(BaseHTTPRequestHandler):
    """One connection. Methods that ROUTES names return what is sent as JSON, or send something else themselves."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self.body = self.read_body()
        method = "GET" if self.command == "HEAD" else self.command
        try:
            for wanted, pattern, name in ROUTES:
                # Branches may have a slash, which is quoted then, so parts are told apart before they are unquoted.
                if method == wanted and (found := re.fullmatch(pattern, url.path)):
                    parts = {key: None if part is None else unquote(part) for key, part in found.groupdict().items()}
                    with self.server.lock if method != "GET" else nullcontext():
                        result = getattr(self, name)(**parts)
                    if result is not None:
                        self.send_json(200, result)
                    return
            raise Refusal(404)
        except Refusal as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.code or "Not found"}
            self.send_json(refusal.status, {"error": refusal.code}, {**headers, **refusal.headers})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, status: int, content: bytes, headers: dict[str, str], cut_after: int | None = None) -> None:
        self.server.requests.append(Request(self.command, self.path, self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut_after])
            self.close_connection = cut_after is not None or self.close_connection

    def send_part(self, content: bytes, headers: dict[str, str], cut_after: int | None = None) -> None:
        """Send the bytes that the request asks for."""
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream", **headers}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            self.send(200, content, headers, cut_after)
            return
        start, stop = int(wanted[1]), min(int(wanted[2] or len(content) - 1) + 1, len(content))
        if start >= stop:
            raise Refusal(416)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        self.send(206, content[start:stop], headers, cut_after)

    def is_owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repository(self, kind: str | None, id: str, *, write: bool = False, content: bool = False) -> Repository:
        """Find a repository; whoever may not see it learns no more than that it is not there."""
        repository = self.server.repositories.get((kind or "models", id))
        if repository is None or (repository.is_private and not self.is_owner()):
            raise Refusal(404 if self.is_owner() else 401, "RepoNotFound")
        if write and not self.is_owner():
            raise Refusal(403)
        if content and repository.is_gated:
            raise Refusal(403 if self.is_owner() else 401, "GatedRepo")
        return repository

    # The account, and making repositories.

    def whoami(self) -> dict:
        if not self.is_owner():
            raise Refusal(401)
        return {"type": "user", "name": OWNER, "orgs": [], "auth": {"type": "access_token"}}

    def check_card(self) -> dict:
        return {"errors": [], "warnings": []}

    def create(self) -> dict | None:
        self.whoami()
        fields = json.loads(self.body)
        kind, id = f"{fields.get('type') or 'model'}s", f"{fields.get('organization') or OWNER}/{fields['name']}"
        answer = {"url": f"{self.server.url}/{'' if kind == 'models' else f'{kind}/'}{id}", "name": id}
        if (kind, id) in self.server.repositories:
            self.send_json(409, {**answer, "error": "You already created this repo"})
            return None
        repository = Repository(is_private=fields.get("visibility") == "private")
        repository.add("main", {})
        self.server.repositories[kind, id] = repository
        return answer

    def create_branch(self, kind: str, id: str, revision: str) -> dict:
        repository = self.repository(kind, id, write=True)
        if revision in repository.refs:
            raise Refusal(409)
        start = json.loads(self.body or b"{}").get("startingPoint") or "main"
        repository.refs[revision] = repository.find(start)
        return {}

    # Uploads.

    def preupload(self, kind: str, id: str, revision: str) -> dict:
        present = self.repository(kind, id, write=True).files(revision)

        def tell(file: dict) -> dict:
            is_large = file["size"] > REGULAR_BYTES or is_binary(base64.b64decode(file["sample"]))
            there = present.get(file["path"])
            oid = None if there is None else there.sha256 if there.is_large else there.git_id
            mode = "lfs" if is_large else "regular"
            return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

        return {"files": [tell(file) for file in json.loads(self.body)["files"]]}

    def batch(self, kind: str | None, id: str) -> dict:
        """Tell where to put large files; those that are there already need nothing."""
        self.repository(kind, id, write=True)
        objects = []
        for each in json.loads(self.body)["objects"]:
            place = f"{self.server.store}/{each['oid']}"
            actions = {"upload": {"href": place}, "verify": {"href": f"{self.server.url}/verify"}}
            objects.append(each if each["oid"] in self.server.verified else {**each, "actions": actions})
        return {"transfer": "basic", "objects": objects}

    def put_stored(self, oid: str) -> dict:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refusal(400)
        self.server.stored[oid] = self.body
        return {}

    def verify(self) -> dict:
        wanted = json.loads(self.body)
        if len(self.server.stored.get(wanted["oid"], b"")) != wanted["size"]:
            raise Refusal(404)
        self.server.verified.add(wanted["oid"])
        return {}

    def commit(self, kind: str, id: str, revision: str) -> dict:
        repository = self.repository(kind, id, write=True)
        files = dict(repository.files(revision))
        for operation in map(json.loads, self.body.splitlines()):
            value = operation["value"]
            match operation["key"]:
                case "header":
                    if value.get("parentCommit") not in (None, repository.find(revision)):
                        raise Refusal(412)
                case "file":
                    files[value["path"]] = File(base64.b64decode(value["content"]), is_large=False)
                case "lfsFile":
                    if value["oid"] not in self.server.verified:
                        raise Refusal(400)
                    files[value["path"]] = File(self.server.stored[value["oid"]], is_large=True)
                case "deletedFile":
                    del files[value["path"]]
                case _:  # such as a copy, which nothing here asks for
                    raise Refusal(400)
        commit = repository.add(revision, files)
        return {"commitUrl": f"{self.server.url}/{id}/commit/{commit}", "commitOid": commit}

    # What there is.

    def info(self, kind: str, id: str, revision: str | None = None) -> dict:
        repository = self.repository(kind, id)
        commit = repository.find(revision or "main")
        siblings = [{"rfilename": path} for path in repository.commits[commit]]
        return {
            "id": id,
            "sha": commit,
            "private": repository.is_private,
            "gated": "manual" if repository.is_gated else False,
            "siblings": siblings,
            "tags": [],
        }

    def list_refs(self, kind: str, id: str) -> dict:
        refs = self.repository(kind, id).refs.items()
        branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit} for name, commit in refs]
        return {"branches": branches, "tags": [], "converts": []}

    def tree(self, kind: str, id: str, revision: str, path: str | None = None) -> list[dict]:
        files = self.repository(kind, id).files(revision)
        folder = f"{path}/" if path else ""
        inside = {name: file for name, file in files.items() if name.startswith(folder)}
        if path and not inside:
            raise Refusal(404, "EntryNotFound")
        if self.query.get("recursive", "").lower() == "true":
            return [file.entry(name) for name, file in inside.items()]
        names = {name: folder + name.removeprefix(folder).partition("/")[0] for name in inside}
        found = {here: inside[name].entry(name) if here == name else _folder(here) for name, here in names.items()}
        return list(found.values())

    def paths_info(self, kind: str, id: str, revision: str) -> list[dict]:
        files = self.repository(kind, id).files(revision)
        if self.headers.get_content_type() == "application/json":
            paths = json.loads(self.body)["paths"]
        else:
            paths = parse_qs(self.body.decode()).get("paths", [])
        folders = [path for path in paths if any(name.startswith(f"{path}/") for name in files)]
        return [files[path].entry(path) for path in paths if path in files] + [_folder(path) for path in folders]

    # Downloads.

    def resolve(self, kind: str | None, id: str, revision: str, path: str) -> None:
        repository = self.repository(kind, id, content=True)
        commit = repository.find(revision)
        headers = {"X-Repo-Commit": commit}
        file = repository.commits[commit].get(path)
        if file is None:
            raise Refusal(404, "EntryNotFound", **headers)
        if not file.is_large:
            self.send_part(file.content, {**headers, "ETag": f'"{file.git_id}"'})
            return
        self.server.stored[file.sha256] = file.content
        headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        self.send(302, b"", {**headers, "Location": f"{self.server.store}/{file.sha256}"})

    def get_stored(self, oid: str) -> None:
        if "Authorization" in self.headers:
            raise Refusal(400)  # Addresses in the store are signed. A token has no business there.
        cut_after, self.server.cut_after = self.server.cut_after, None
        self.send_part(self.server.stored[oid], {"ETag": f'"{oid}"'}, cut_after)


_ID = "(?P<id>[^/]+/[^/]+)"
_API = f"/api/(?P<kind>models|datasets)/{_ID}"
_PAGE = f"/(?:(?P<kind>datasets)/)?{_ID}"
_REVISION = "(?P<revision>[^/]+)"
ROUTES = [
    ("GET", "/api/whoami-v2", "whoami"),
    ("POST", "/api/validate-yaml", "check_card"),
    ("POST", "/api/repos/create", "create"),
    ("POST", f"{_API}/branch/{_REVISION}", "create_branch"),
    ("POST", f"{_API}/preupload/{_REVISION}", "preupload"),
    ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", "batch"),
    ("PUT", r"/store/(?P<oid>\w+)", "put_stored"),
    ("POST", "/verify", "verify"),
    ("POST", f"{_API}/commit/{_REVISION}", "commit"),
    ("GET", f"{_API}(?:/revision/{_REVISION})?", "info"),
    ("GET", f"{_API}/refs", "list_refs"),
    ("GET", f"{_API}/tree/{_REVISION}/?(?P<path>.+)?", "tree"),
    ("POST", f"{_API}/paths-info/{_REVISION}", "paths_info"),
    ("GET", f"{_PAGE}/resolve/{_REVISION}/(?P<path>.+)", "resolve"),
    ("GET", r"/store/(?P<oid>\w+)", "get_stored"),
]


def _folder(path: str) -> dict[str, str]:
    return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest()}


@contextmanager
def running_hub() -> Iterator[Hub]:
    with Hub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
