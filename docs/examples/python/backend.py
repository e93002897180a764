"""The backend: answers what it is."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("POD_NAME", "backend")


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        texts = {"/": f"Hello from {NAME}!\n", "/healthz": "ok\n"}
        body = texts.get(self.path, "not found\n").encode()
        self.send_response(200 if self.path in texts else 404)
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
    Server(("127.0.0.1", int(os.environ.get("PORT", "8001"))), Backend).serve_forever()
