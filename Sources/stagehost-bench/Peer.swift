import LinuxIO

/// Another way to do the reference job, with whatever must be there for it.
struct Peer: Sendable {
    var name: String
    /// For `--only`.
    var key: String
    /// Python packages that are installed with `--install`; those that have none need no Python of their own.
    var packages: [String] = []
    /// Programs that must be there.
    var programs: [String] = []
    /// What is run: input, output.
    var words: @Sendable (PeerPlace, String, String) -> [String]

    static let all = [
        Peer(name: "GNU parallel, the native pipe on each block", key: "parallel", programs: ["parallel"]) { place, input, output in
            let step = place.native
            return [
                "/bin/sh", "-c", "exec parallel --will-cite --pipepart -a \"$0\" -j2 --block 10M -k \"$2\" > \"$1\"", input, output,
                "\(step) normalize | \(step) drop | \(step) seal",
            ]
        },
        Peer(name: "Python, ProcessPoolExecutor", key: "executor", programs: ["python3"]) { place, input, output in
            [place.python, place.script("executor.py"), input, output]
        },
        Peer(name: "Python, multiprocessing.Pool", key: "pool", programs: ["python3"]) { place, input, output in
            [place.python, place.script("pool.py"), input, output]
        },
        Peer(name: "Bytewax, a snapshot every second", key: "bytewax", packages: ["bytewax"], programs: ["python3"]) { place, input, output in
            ["/bin/sh", "-c", "cd \"$0\" && exec \"$1\" flow.py \"$2\" \"$3\"", place.folder, place.python, input, output]
        },
        Peer(name: "PySpark, rdd.pipe of the native programs", key: "spark", packages: ["pyspark"], programs: ["python3", "java"]) {
            place, input, output in [place.python, place.script("spark.py"), input, output, place.native]
        },
    ]

    /// Why it cannot run here; nil when it can.
    func isMissing(_ place: PeerPlace) -> String? {
        let path = (environmentValue("PATH") ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        if key == "parallel", !place.hasGNUParallel { return "no GNU parallel here (Debian: parallel)" }
        for program in programs where !path.contains(where: { fileExists($0 + "/" + program) }) { return "no \(program) here" }
        for package in packages where !place.hasPackage(package) { return "no Python package \(package); --install gets it" }
        return nil
    }
}

/// The folder with the peers' scripts, and the Python that runs them.
struct PeerPlace: Sendable {
    let folder: String
    let python: String
    let native: String
    private let scratch: Scratch

    /// Writes the scripts; with `installing`, makes a virtual environment in the temporary folder and gets packages into it.
    init(_ setting: Setting, installing packages: [String]) throws(BenchError) {
        scratch = setting.scratch
        folder = setting.scratch.path
        native = setting.programs.native
        for (name, text) in PeerScripts.all {
            let path = folder + "/" + name
            try onSystem { () throws(SystemError) in try writeFileAtomically(path, Array(text.utf8), durable: false) }
        }
        guard !packages.isEmpty else {
            python = "python3"
            return
        }
        python = folder + "/venv/bin/python3"
        Console.say("installing \(packages.joined(separator: ", "))")
        let made = try Child.start(["python3", "-m", "venv", folder + "/venv"], in: scratch, error: 2).wait()
        guard made.status == 0 else { throw .failed("python3 -m venv: found exit \(made.status), expected 0") }
        // One that cannot be had does not keep the others from being measured.
        for package in packages { _ = try Child.start([python, "-m", "pip", "install", "-q", package], in: scratch, error: 2).wait() }
    }

    func script(_ name: String) -> String { folder + "/" + name }

    /// Another program has the same name.
    var hasGNUParallel: Bool {
        (try? Child.start(["/bin/sh", "-c", "parallel --version | grep -q GNU"], in: scratch).wait())?.status == 0
    }

    func hasPackage(_ name: String) -> Bool {
        guard let usage = try? Child.start([python, "-c", "import \(name)"], in: scratch).wait() else { return false }
        return usage.status == 0
    }
}
