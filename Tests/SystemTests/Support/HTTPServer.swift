import Foundation
import LinuxIO
import Testing

/// A web service on loopback, in Python: slow, busy, failing and hanging up as told, with a log of its own.
///
/// It answers in the shape of a chat completion. Each request has the record's key in the header X-Key, and leaves one
/// line in `calls.txt` when its answer has been sent: key, status, seconds.
final class HTTPServer {
    private let process: ChildProcess
    private let job: Job
    let port: Int

    private static let script = """
        import asyncio, json, os, select, sys, time

        latency = float(sys.argv[1])
        # What goes wrong the first time, by the last digit of the key.
        troubles = dict(part.split("=") for part in sys.argv[2].split(",") if part)
        seen = {}
        log = open("calls.txt", "a", buffering=1)

        async def serve(reader, writer):
            try:
                while True:
                    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
                    lines = head.split("\\r\\n")
                    pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
                    headers = {name.lower(): value for name, value in pairs}
                    length = int(headers.get("content-length", "0"))
                    body = await reader.readexactly(length)
                    key = headers.get("x-key", "")
                    seen[key] = seen.get(key, 0) + 1
                    trouble = troubles.get(key[-1:]) if seen[key] == 1 else None
                    await asyncio.sleep(0.01 if trouble else latency)
                    while os.path.exists("hold"):
                        await asyncio.sleep(0.005)
                    # The kernel knows that the other side has gone before the loop has heard of it.
                    ended = select.poll()
                    ended.register(writer.get_extra_info("socket").fileno(), select.POLLRDHUP)
                    if writer.is_closing() or ended.poll(0):
                        return
                    if trouble == "drop":
                        log.write(f"{key} dropped {time.time():.3f}\\n")
                        writer.transport.abort()
                        return
                    status, extra, answer = 200, "", None
                    if trouble in ("429", "500", "404", "401", "302"):
                        status = int(trouble)
                        extra = "Retry-After: 1\\r\\n" if status == 429 else ""
                        answer = json.dumps({"error": "not now, " + headers.get("authorization", "")})
                    else:
                        asked = json.loads(body)["messages"][0]["content"] if body else lines[0]
                        answer = json.dumps({
                            "choices": [{"message": {"content": asked.upper()}}],
                            "usage": {"total_tokens": len(asked)}, "seen": seen[key], "auth": "authorization" in headers,
                        })
                    log.write(f"{key} {status} {time.time():.3f}\\n")
                    text = answer.encode()
                    writer.write(f"HTTP/1.1 {status} X\\r\\nContent-Type: application/json\\r\\n{extra}Content-Length: {len(text)}\\r\\n\\r\\n".encode() + text)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
            with open("port.new", "w") as file:
                file.write(str(server.sockets[0].getsockname()[1]))
            os.rename("port.new", "port.txt")
            await server.serve_forever()

        asyncio.run(main())
        """

    /// - Parameter troubles: what happens to the first request for a key, by its last digit: "3=429,5=500,7=drop".
    init(for job: Job, latency: Double, troubles: String = "") throws {
        self.job = job
        try job.write("server.py", Self.script)
        let python = try #require(Programs.find("python3"))
        let nothing = try Descriptor.open("/dev/null", flags: O_RDONLY)
        let words = try Descriptor.open(job.path("server.log"), flags: O_WRONLY | O_CREAT | O_APPEND)
        process = try ChildProcess.spawn(
            python, arguments: ["server.py", "\(latency)", troubles],
            environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
            descriptors: [nothing.number, words.number, words.number], directory: job.folder)
        let patience = Patience(seconds: 20)
        while !FileManager.default.fileExists(atPath: job.path("port.txt")), patience.lasts { patience.rest() }
        port = try #require(Int(String(decoding: job.data("port.txt"), as: UTF8.self)), "\(job.lines("server.log"))")
    }

    deinit {
        process.signal(SIGKILL)
        var wait = pollfd(fd: process.pidfd.number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&wait, 1, 10_000)
        _ = process.reap()
    }

    /// The answers that were sent: key and status.
    func calls() -> [(key: String, status: String)] {
        job.lines("calls.txt").compactMap { line in
            let words = line.split(separator: " ")
            return words.count == 3 ? (String(words[0]), String(words[1])) : nil
        }
    }

    /// While this is in force no request is answered.
    func hold() throws { try job.write("hold", "") }
    func release() throws { try FileManager.default.removeItem(atPath: job.path("hold")) }
}
