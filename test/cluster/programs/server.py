"""Answers every request with its pod and the address it was called from, /status/503 with that status: server.py PORT."""
import json
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"pod": os.environ.get("HOSTNAME", ""), "peer": self.client_address[0]}).encode()
        parts = self.path.split("/")
        self.send_response(int(parts[2]) if parts[1] == "status" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # Dual stack: the address of an IPv4 caller is then written as ::ffff:10.0.0.1.
    address_family = socket.AF_INET6 if os.path.exists("/proc/net/if_inet6") else socket.AF_INET
    request_queue_size = 1024


Server(("", int(sys.argv[1])), Handler).serve_forever()
