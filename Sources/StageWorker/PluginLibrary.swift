import CStage
import CWorker

/// Loads a plugin.
enum PluginLibrary {
    private static let newestProbed: UInt32 = 16

    /// Loads the library at `path` and checks its table. It is never unloaded: a worker has one plugin.
    static func load(_ path: String) throws(Refusal) -> PluginTable {
        // Without a slash the loader would search its own folders.
        let path = path.contains("/") ? path : "./\(path)"
        try LibraryFile.check(path)
        guard let library = unsafe cworker_open_library(path) else {
            throw unsafe unloadable(path, cworker_loader_error().map { unsafe String(cString: $0) } ?? "no reason given")
        }
        guard let entry = unsafe cworker_find_entry(library, UInt32(STAGE_PROTOCOL_VERSION)) else {
            throw unsafe withoutEntry(path, library)
        }
        guard let table = unsafe entry() else {
            throw Refusal(
                path, found: "NULL from \(STAGE_ENTRY_SYMBOL)()", expected: "a table",
                hint: "return the address of a static stage_plugin")
        }
        return unsafe try PluginTable(checking: table, subject: path)
    }

    private static func unloadable(_ path: String, _ words: String) -> Refusal {
        let missing = ": cannot open shared object file"
        if let end = words.firstRange(ofText: missing) {
            let library = words[..<end]
            return Refusal(
                path, found: "that it needs \(library), which is not installed (\(words))",
                expected: "all libraries that it is linked with",
                hint: "install the package with \(library), or name its folder in LD_LIBRARY_PATH")
        }
        if words.firstRange(ofText: "undefined symbol") != nil {
            return Refusal(
                path, found: words, expected: "every symbol defined",
                hint: "link the library that defines it (ldd -r shows what is missing)")
        }
        return Refusal(path, found: words, expected: "a library that loads", hint: "see what ldd says of it")
    }

    private static func withoutEntry(_ path: String, _ library: UnsafeMutableRawPointer) -> Refusal {
        for version in 0...newestProbed where unsafe cworker_find_entry(library, version) != nil {
            return Refusal(
                path, found: "stage protocol \(version) (stage_plugin_v\(version))",
                expected: "stage protocol \(STAGE_PROTOCOL_VERSION) (\(STAGE_ENTRY_SYMBOL)), which this host speaks",
                hint: "build the plugin against this host's stage.h, or use a host that speaks protocol \(version)")
        }
        return Refusal(
            path, found: "a library without \(STAGE_ENTRY_SYMBOL)", expected: "a plugin of stage protocol \(STAGE_PROTOCOL_VERSION)",
            hint: "export `const stage_plugin *\(STAGE_ENTRY_SYMBOL)(void)`, with STAGE_EXPORT and, in C++, extern \"C\"")
    }
}

extension String {
    /// Where `text` begins; nil when it does not occur.
    fileprivate func firstRange(ofText text: String) -> Index? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start }
            formIndex(after: &start)
        }
        return nil
    }
}
