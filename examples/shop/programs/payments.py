"""The payments: takes charges over HTTP and books them in the ledger, over TCP."""
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEDGER = (os.environ["LEDGER_HOST"], int(os.environ["LEDGER_PORT"]))


def book(line):
    with socket.create_connection(LEDGER, timeout=5) as ledger:
        ledger.sendall(line.encode() + b"\n")
        return ledger.makefile().readline().strip()


class Payments(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, "payments are open")

    def do_POST(self):
        charge = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        try:
            self.answer(200, book("CHARGE " + charge))
        except OSError as error:
            self.answer(502, f"ledger: {error}")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("", int(os.environ["PORT"])), Payments).serve_forever()
