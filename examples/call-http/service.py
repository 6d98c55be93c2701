"""A stand-in for a paid model, in the shape of a chat completion: slow, and busy now and then. python3 service.py [PORT]"""
import json
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = asked["messages"][-1]["content"]
        time.sleep(0.2)
        if self.headers.get("Authorization") != "Bearer open sesame":
            self.answer(401, {"error": "no such key"})
        elif random.random() < 0.05:
            self.answer(429, {"error": "too many requests"}, {"Retry-After": "1"})
        else:
            title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "untitled")
            usage = {"total_tokens": len(text) // 4}
            self.answer(200, {"choices": [{"message": {"role": "assistant", "content": title}}], "usage": usage})

    def answer(self, status, value, headers={}):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
ThreadingHTTPServer.request_queue_size = 128  # many may call at once: with 5, the default, most of them wait for seconds
server = ThreadingHTTPServer(("127.0.0.1", port), Service)
print(f"listening on http://127.0.0.1:{port}", flush=True)
server.serve_forever()
