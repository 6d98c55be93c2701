/// A web service that takes its time and fails some calls once: Python, nothing but its standard library.
enum ServiceScript {
    static let text = """
        import asyncio, os, sys

        port_file, log_file, latency, retry_after = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, sys.argv[4]
        troubles = {"3": "429", "5": "500", "7": "drop"} if sys.argv[5] == "troubles" else {}
        seen = set()
        log = open(log_file, "a", buffering=1)

        async def serve(reader, writer):
            try:
                while True:
                    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
                    headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                    key = headers["x-key"]
                    trouble = None if key in seen else troubles.get(key[-1:])
                    seen.add(key)
                    await asyncio.sleep(latency)
                    if trouble == "drop":
                        log.write(f"{key} drop\\n")
                        writer.transport.abort()
                        return
                    status = trouble or "200"
                    wait = f"Retry-After: {retry_after}\\r\\n" if trouble == "429" else ""
                    log.write(f"{key} {status}\\n")
                    writer.write(f"HTTP/1.1 {status} X\\r\\n{wait}Content-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
            with open(port_file + ".new", "w") as file:
                file.write(str(server.sockets[0].getsockname()[1]))
            os.rename(port_file + ".new", port_file)
            await server.serve_forever()

        asyncio.run(main())

        """
}
