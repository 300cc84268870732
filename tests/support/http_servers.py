"""Small HTTP servers on loopback that answer as they are told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What a server answers to every request, and what it was asked.

    Attributes:
        status: HTTP's.
        body: Content.
        authorizations: The header of each request.
    """

    status: int = 200
    body: bytes = b'{"experiments": []}'
    authorizations: list[str | None] = field(default_factory=list)


@contextmanager
def http_server(answer: Answer) -> Iterator[str]:
    """A server on a free port, by its address; it ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer.authorizations.append(self.headers.get("Authorization"))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
