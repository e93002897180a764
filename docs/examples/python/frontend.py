"""The frontend: asks the backend, and passes the trace on."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

NAME = os.environ.get("POD_NAME", "frontend")
# The backend's name is the same here and in a cluster: urllib asks http_proxy, which msctl sets here.
BACKEND = "http://backend:8001/"


class Frontend(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/":
            self.answer(*self.ask_backend())
        elif self.path == "/healthz":
            self.answer(200, "ok\n")
        else:
            self.answer(404, "not found\n")

    def ask_backend(self):
        passed_on = {name: self.headers[name] for name in ("traceparent", "tracestate") if name in self.headers}
        try:
            with urlopen(Request(BACKEND, headers=passed_on), timeout=5) as response:
                return 200, f"{NAME} was told: {response.read().decode()}"
        except OSError as error:  # also what urllib raises for an answer of 400 or more
            return 502, f"{BACKEND}: {error}\n"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        if self.path != "/healthz":
            print(f"{NAME} {self.command} {self.path} {int(code)} traceparent={self.headers.get('traceparent')}")


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 makes a burst of connections wait a second


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Frontend).serve_forever()
