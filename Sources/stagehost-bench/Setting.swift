import LinuxIO

/// What a benchmark runs in: its options, the temporary folder, the programs.
struct Setting: Sendable {
    let values: OptionValues
    let scratch: Scratch
    let programs: Programs

    /// The same folder and programs for another benchmark.
    init(_ setting: Setting, _ words: [String], of benchmark: Benchmark) throws(BenchError) {
        values = try OptionValues(words, of: benchmark)
        scratch = setting.scratch
        programs = setting.programs
    }

    init(_ values: OptionValues) throws(BenchError) {
        self.values = values
        let binaries = values.text("bin") ?? parentFolder(of: ownProgramPath())
        guard let binaries = absolutePath(binaries) else { throw .usage("--bin: there is no folder \(binaries)") }
        programs = try Programs(folder: binaries)
        let environment = environmentValue("TMPDIR")
        let wanted = values.text("folder") ?? environment ?? "/tmp"
        guard let folder = absolutePath(wanted) else { throw .usage("--folder: there is no folder \(wanted)") }
        scratch = try Scratch(in: folder)
    }
}

/// The value of a variable; nil when it is missing or empty.
func environmentValue(_ name: String) -> String? {
    environmentStrings().first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }.flatMap { $0.isEmpty ? nil : $0 }
}

/// The programs that are measured: those of one build.
struct Programs: Sendable {
    var stagehost: String
    var worker: String
    /// A step of the reference job as a program.
    var native: String
    /// The plugin with the same steps as stages.
    var plugin: String
    /// Records from memory, and to nowhere.
    var source: String
    var sink: String

    init(folder: String) throws(BenchError) {
        stagehost = folder + "/stagehost"
        worker = folder + "/stagehost-worker"
        native = folder + "/stagehost-bench-native"
        plugin = folder + "/libstage-bench.so"
        source = folder + "/libstage-bench-source.so"
        sink = folder + "/libstage-bench-sink.so"
        let plugins = ["read-lines", "write-lines"].map { folder + "/libstage-\($0).so" }
        for path in [stagehost, worker, native, plugin, source, sink] + plugins where !fileExists(path) {
            throw .failed("\(path): not there, expected beside stagehost; build all with swift build -c release")
        }
    }
}
