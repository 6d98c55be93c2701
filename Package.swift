// swift-tools-version: 6.2
import PackageDescription

/// The settings that every Swift target of the project builds with.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// What is part of the host or the worker: debug builds, and with them all tests, check at run time that no two accesses to a
/// variable overlap; a release does without, because the checks are a third of the scheduler's time.
let ours: [SwiftSetting] = strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// What a plugin in Swift is made of. Its objects must not name the libraries of Swift's concurrency and regular expressions, which
/// import themselves everywhere: hardly a plugin uses them, and to load them was a third of the start of such a plugin's worker.
let inPlugins: [SwiftSetting] = strict + [
    .unsafeFlags([
        "-Xfrontend", "-disable-implicit-concurrency-module-import",
        "-Xfrontend", "-disable-implicit-string-processing-module-import",
    ])
]

let strictC: [CSetting] = [
    .unsafeFlags(["-Wall", "-Wextra", "-Werror"])
]

/// A module of the host. Imports go downwards only: the dependency lists below are the whole truth.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: ours)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

/// A stage plugin written in Swift: `Plugins/NAME` becomes `libstage-NAME.so`.
struct Plugin {
    var folder: String
    var target: String
    var inC = false
    /// It needs what `inPlugins` leaves out.
    var usesWholeRuntime = false
    var dependencies: [Target.Dependency] = ["StageKit"]
    /// Folders in it that are targets of their own.
    var exclude: [String] = []
}

let plugins: [Plugin] = [
    Plugin(folder: "read-files", target: "ReadFiles"),
    Plugin(folder: "read-lines", target: "ReadLines"),
    Plugin(folder: "split-text", target: "SplitText"),
    Plugin(folder: "count-terms", target: "CountTerms"),
    Plugin(folder: "keep", target: "Keep"),
    Plugin(folder: "write-lines", target: "WriteLines"),
    Plugin(folder: "tally", target: "Tally"),
    Plugin(folder: "read-sqlite", target: "ReadSQLite", usesWholeRuntime: true, dependencies: ["StageKit", "StageSQLite"]),
    Plugin(folder: "write-sqlite", target: "WriteSQLite", dependencies: ["StageKit", "StageSQLite"]),
    Plugin(folder: "write-postgres", target: "WritePostgres", usesWholeRuntime: true),
    Plugin(folder: "deduplicate", target: "Deduplicate"),
    Plugin(folder: "template", target: "FillTemplate"),
    Plugin(folder: "run-command", target: "RunCommand"),
    Plugin(folder: "read-csv", target: "ReadCSV"),
    Plugin(folder: "write-csv", target: "WriteCSV"),
    Plugin(folder: "extract-pdf", target: "ExtractPDF"),
    Plugin(folder: "call-http", target: "CallHTTP", usesWholeRuntime: true, dependencies: ["StageKit", "CallHTTPClient"], exclude: ["curl"]),
    Plugin(folder: "misbehave", target: "Misbehave", inC: true, dependencies: ["CStage"]),
]

/// A run hashes and copies its plugins, and a worker loads the libraries that they name: a release leaves out what tells a debugger
/// of lines (the names of functions stay, crash reports show them), what nothing refers to, and libraries that nothing is taken from.
let lean = LinkerSetting.unsafeFlags(
    ["-Xlinker", "--strip-debug", "-Xlinker", "--gc-sections", "-Xlinker", "--as-needed"], .when(configuration: .release))

/// Hides everything of a Swift plugin but `stage_plugin_v1`.
let onlyTheEntry: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "--version-script=\(Context.packageDirectory)/Plugins/exports.map"]), lean,
]

/// Where the linker finds archives instead of the shared libraries of the same name.
let archives = "\(Context.packageDirectory)/Sources/static"

/// A plugin in C needs no Swift runtime, but the driver names it, and the object that registers with it, for every library: to load
/// it was a quarter of the start of such a plugin's worker.
let withoutRuntime: [LinkerSetting] = [
    .unsafeFlags(["-nostartfiles", "-static-stdlib", "-L", archives]), lean,
]

/// The host and the worker bring their own Swift runtime along, and that of C++, which Swift's needs: most of their start was the loading
/// of libraries, and a plugin in C needs none. None of their symbols are to be seen, so that a plugin has its own runtimes and
/// never meets these.
let selfContained: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib", "-L", archives, "-Xclang-linker", "-static-libgcc",
        "-Xclang-linker", "-no-pie", "-Xlinker", "--no-export-dynamic", "-Xlinker", "--gc-sections",
    ])
]

let pluginTargets: [Target] = plugins.map { plugin in
    plugin.inC
        ? .target(
            name: plugin.target, dependencies: plugin.dependencies, path: "Plugins/\(plugin.folder)",
            publicHeadersPath: "include", cSettings: strictC, linkerSettings: withoutRuntime)
        : .target(
            name: plugin.target, dependencies: plugin.dependencies, path: "Plugins/\(plugin.folder)", exclude: plugin.exclude,
            swiftSettings: plugin.usesWholeRuntime ? strict : inPlugins, linkerSettings: onlyTheEntry)
}

let pluginProducts: [Product] = plugins.map {
    .library(name: "stage-\($0.folder)", type: .dynamic, targets: [$0.target])
}

let package = Package(
    name: "stagehost",
    products: [
        .executable(name: "stagehost", targets: ["stagehost"]),
        .executable(name: "stagehost-worker", targets: ["stagehost-worker"]),
        .executable(name: "stagehost-bench", targets: ["stagehost-bench"]),
        .executable(name: "stagehost-bench-native", targets: ["stagehost-bench-native"]),
        .library(name: "stage-bench", type: .dynamic, targets: ["BenchStage"]),
        .library(name: "stage-bench-source", type: .dynamic, targets: ["BenchSource"]),
        .library(name: "stage-bench-sink", type: .dynamic, targets: ["BenchSink"]),
        .library(name: "StageKit", targets: ["StageKit"]),
    ] + pluginProducts,
    targets: [
        .target(name: "CStage"),
        .target(name: "CLinux", cSettings: strictC),
        .target(name: "CWorker", dependencies: ["CStage"], cSettings: strictC),
        .target(name: "StageKit", dependencies: ["CStage"], swiftSettings: inPlugins),
        .target(name: "StageSQLite", dependencies: ["StageKit"], swiftSettings: inPlugins),
        module("LinuxIO", ["CLinux"]),
        module("StageModel", []),
        module("StageWire", ["CLinux", "StageModel"]),
        module("StageLog", ["CLinux", "LinuxIO"]),
        module("StageScheduler", ["StageModel"]),
        module("StageConfig", []),
        module("StageCommand", ["StageConfig"]),
        module("StageReport", ["LinuxIO", "StageModel", "StageConfig", "StageScheduler"]),
        module("StageControl", ["LinuxIO", "StageModel", "StageConfig"]),
        module(
            "StageRuntime",
            ["CLinux", "LinuxIO", "StageModel", "StageWire", "StageLog", "StageScheduler", "StageReport", "StageControl", "StageConfig"]),
        module("StageWorker", ["CStage", "CWorker", "CLinux", "StageModel", "StageWire"]),
        .executableTarget(
            name: "stagehost",
            dependencies: [
                "LinuxIO", "StageModel", "StageCommand", "StageConfig", "StageReport", "StageControl", "StageLog",
                "StageRuntime", "StageScheduler",
            ],
            swiftSettings: strict, linkerSettings: selfContained),
        .executableTarget(
            name: "stagehost-worker", dependencies: ["StageWorker"], swiftSettings: strict, linkerSettings: selfContained),
        .target(name: "CallHTTPClient", path: "Plugins/call-http/curl", cSettings: strictC),
        .target(name: "CBench", dependencies: ["CLinux"], path: "Sources/CBench/work", cSettings: strictC),
        .target(
            name: "BenchStage", dependencies: ["CBench", "CStage"], path: "Sources/CBench/stage",
            publicHeadersPath: "include", cSettings: strictC, linkerSettings: withoutRuntime),
        .target(
            name: "BenchSource", dependencies: ["CStage"], path: "Sources/CBench/source", publicHeadersPath: "include",
            cSettings: strictC, linkerSettings: withoutRuntime),
        .target(
            name: "BenchSink", dependencies: ["CStage"], path: "Sources/CBench/sink", publicHeadersPath: "include",
            cSettings: strictC, linkerSettings: withoutRuntime),
        .executableTarget(
            name: "stagehost-bench-native", dependencies: ["CBench"], path: "Sources/CBench/native", cSettings: strictC),
        .executableTarget(
            name: "stagehost-bench",
            dependencies: [
                "CBench", "CLinux", "LinuxIO", "StageModel", "StageWire", "StageLog", "StageScheduler", "StageConfig", "StageReport",
            ],
            swiftSettings: strict),
        tests("CStageTests", ["CStage"]),
        tests("StageKitTests", ["StageKit", "CStage"]),
        tests("LinuxIOTests", ["LinuxIO", "CLinux"]),
        tests("StageModelTests", ["StageModel"]),
        tests("StageWireTests", ["StageWire", "StageModel", "CLinux"]),
        tests("StageLogTests", ["StageLog", "LinuxIO"]),
        tests("StageSchedulerTests", ["StageScheduler", "StageModel"]),
        tests("StageConfigTests", ["StageConfig"], exclude: ["Golden"]),
        tests("StageCommandTests", ["StageCommand", "StageConfig"], exclude: ["Golden"]),
        tests("StageWorkerTests", ["StageModel", "StageWire", "CLinux"]),
        tests("StageControlTests", ["StageControl", "LinuxIO", "StageModel", "StageConfig"]),
        tests(
            "StageRuntimeTests",
            ["StageRuntime", "LinuxIO", "StageLog", "StageModel", "StageScheduler", "StageWire"]),
        tests("PluginTests", ["CStage", "TestPostgres"]),
        tests("CommandTests", ["StageConfig", "StageReport", "StageModel", "StageScheduler"]),
        tests("SystemTests", ["LinuxIO", "TestPostgres"], exclude: ["Stages"]),
        .target(name: "TestPostgres", path: "Tests/TestPostgres", swiftSettings: strict),
    ] + pluginTargets
)
