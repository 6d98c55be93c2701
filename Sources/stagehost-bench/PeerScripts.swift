/// The reference job in Python, for the peers: what a user of each would write.
enum PeerScripts {
    static let all = [
        ("steps.py", steps), ("chunks.py", chunks), ("executor.py", executor), ("pool.py", pool), ("flow.py", flow), ("spark.py", spark),
    ]

    private static let steps = """
        import json, zlib

        def normalize(document):
            document["text"] = document["text"].lower()
            document["tokens"] = len(document["text"].split())
            return document

        def keep(document):
            return document["id"] % 10 != 0

        def seal(document):
            document["crc"] = zlib.crc32(document["text"].encode())
            return document

        def line(text):
            document = normalize(json.loads(text))
            return json.dumps(seal(document), separators=(",", ":")) if keep(document) else None

        def lines(texts):
            return [made for made in map(line, texts) if made is not None]

        """

    private static let chunks = """
        import itertools

        def chunks(file, count=1000):
            while chunk := list(itertools.islice(file, count)):
                yield chunk

        def write(file, lines):
            file.write("".join(line + "\\n" for line in lines))

        """

    private static let executor = """
        import collections, sys
        from concurrent.futures import ProcessPoolExecutor
        from chunks import chunks, write
        from steps import lines

        if __name__ == "__main__":
            with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target, ProcessPoolExecutor(2) as pool:
                waiting = collections.deque()
                for chunk in chunks(source):
                    waiting.append(pool.submit(lines, chunk))
                    if len(waiting) > 8:
                        write(target, waiting.popleft().result())
                while waiting:
                    write(target, waiting.popleft().result())

        """

    private static let pool = """
        import multiprocessing, sys
        from chunks import chunks, write
        from steps import lines

        if __name__ == "__main__":
            with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target, multiprocessing.Pool(2) as pool:
                for made in pool.imap(lines, chunks(source)):
                    write(target, made)

        """

    private static let flow = """
        import json, os, sys
        from datetime import timedelta
        from pathlib import Path
        import bytewax.operators as op
        from bytewax.connectors.files import FileSink, FileSource
        from bytewax.dataflow import Dataflow
        from steps import keep, normalize, seal

        def flow(source, target):
            flow = Dataflow("reference")
            stream = op.input("in", flow, FileSource(Path(source), batch_size=1000))
            stream = op.map("normalize", stream, lambda text: normalize(json.loads(text)))
            stream = op.filter("drop", stream, keep)
            stream = op.map("seal", stream, lambda document: ("0", json.dumps(seal(document), separators=(",", ":"))))
            op.output("out", stream, FileSink(Path(target)))
            return flow

        if __name__ == "__main__":
            from bytewax.recovery import RecoveryConfig, init_db_dir
            from bytewax.testing import cluster_main
            store = Path("bytewax-recovery")
            if store.exists():
                for file in store.iterdir():
                    file.unlink()
            store.mkdir(exist_ok=True)
            init_db_dir(store, 1)
            if os.path.exists(sys.argv[2]):
                os.unlink(sys.argv[2])
            cluster_main(
                flow(sys.argv[1], sys.argv[2]), [], 0, epoch_interval=timedelta(seconds=1),
                recovery_config=RecoveryConfig(store, timedelta(seconds=0)))

        """

    private static let spark = """
        import glob, shutil, sys
        from pyspark.sql import SparkSession

        source, target, native = sys.argv[1:4]
        shutil.rmtree(target + ".parts", ignore_errors=True)
        session = (
            SparkSession.builder.master("local[2]").appName("reference").config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "2g").config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1").getOrCreate())
        lines = session.sparkContext.textFile(source)
        for step in ["normalize", "drop", "seal"]:
            lines = lines.pipe(native + " " + step)
        lines.saveAsTextFile(target + ".parts")
        session.stop()
        with open(target, "wb") as whole:
            for part in sorted(glob.glob(target + ".parts/part-*")):
                with open(part, "rb") as file:
                    shutil.copyfileobj(file, whole, 1 << 20)
        shutil.rmtree(target + ".parts")

        """
}
