/// Finds files by pattern: `*` and `?` within a name, `**` for any number of folders, `[a-z]` and `[!a-z]`, `{a,b}`, and
/// a backslash before a character that stands for itself.
///
/// Names that begin with a dot are found only by a pattern that writes the dot. `**` does not follow symbolic links to
/// folders, so that loops are harmless.
package struct Glob {
    package let pattern: String
    private let alternatives: [[Component]]

    private enum Component: Hashable {
        case name([UInt8])
        case wildcard(NamePattern)
        case anyFolders
    }

    package init(_ pattern: String) throws {
        guard !pattern.isEmpty, !pattern.utf8.contains(0) else {
            throw GlobError(description: "found \(JSON.quote(pattern)), expected a path or a pattern such as \"docs/**/*.md\"")
        }
        self.pattern = pattern
        alternatives = try Braces.expand(Array(pattern.utf8)).map { try Self.components($0) }
    }

    private static func components(_ path: [UInt8]) throws -> [Component] {
        var result: [Component] = path.first == UInt8(ascii: "/") ? [.name([])] : []
        for part in path.split(separator: UInt8(ascii: "/")) where part != [UInt8(ascii: ".")] {
            if part == [UInt8(ascii: "*"), UInt8(ascii: "*")] {
                if result.last != .anyFolders { result.append(.anyFolders) }
            } else {
                let pattern = try NamePattern(Array(part))
                result.append(pattern.literal.map { .name($0) } ?? .wildcard(pattern))
            }
        }
        // "docs/**" means the files in there.
        if result.last == .anyFolders { result.append(.wildcard(try NamePattern([UInt8(ascii: "*")]))) }
        return result
    }

    /// The files that match now, sorted by the bytes of their paths, each once. Folders that cannot be read are told
    /// to `complain`.
    package func files(complain: (SystemError) -> Void) -> [[UInt8]] {
        let literal = Array(pattern.utf8)
        if Paths.kind(of: literal, followingLinks: true) == .file { return [literal.withoutDotSlash] }
        var found: Set<[UInt8]> = []
        for components in alternatives {
            walk([], components[...], complain) { found.insert($0) }
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private func walk(
        _ prefix: [UInt8], _ rest: ArraySlice<Component>, _ complain: (SystemError) -> Void,
        _ add: ([UInt8]) -> Void
    ) {
        guard let component = rest.first else {
            if Paths.kind(of: prefix, followingLinks: true) == .file { add(prefix) }
            return
        }
        switch component {
        case .name(let name):
            walk(join(prefix, name), rest.dropFirst(), complain, add)
        case .wildcard(let pattern):
            for entry in entries(prefix, complain) where pattern.matches(entry.name) {
                let path = join(prefix, entry.name)
                if rest.count == 1, entry.kind == .file {
                    add(path)
                } else if rest.count == 1 || entry.kind != .file {
                    walk(path, rest.dropFirst(), complain, add)
                }
            }
        case .anyFolders:
            walk(prefix, rest.dropFirst(), complain, add)
            for entry in entries(prefix, complain) where entry.name.first != UInt8(ascii: ".") {
                let path = join(prefix, entry.name)
                let kind = entry.kind ?? Paths.kind(of: path, followingLinks: false)
                if kind == .folder { walk(path, rest, complain, add) }
            }
        }
    }

    private func entries(_ prefix: [UInt8], _ complain: (SystemError) -> Void) -> [Folder.Entry] {
        let folder = prefix.isEmpty ? Array(".".utf8) : prefix
        guard Paths.kind(of: folder, followingLinks: true) == .folder else { return [] }
        do {
            return try Folder.entries(of: folder)
        } catch {
            complain(error)
            return []
        }
    }

    private func join(_ prefix: [UInt8], _ name: [UInt8]) -> [UInt8] {
        if name.isEmpty { return [UInt8(ascii: "/")] }
        if prefix.isEmpty { return name }
        return prefix.last == UInt8(ascii: "/") ? prefix + name : prefix + [UInt8(ascii: "/")] + name
    }
}

extension [UInt8] {
    fileprivate var withoutDotSlash: [UInt8] {
        starts(with: Array("./".utf8)) && count > 2 ? Array(dropFirst(2)).withoutDotSlash : self
    }
}

/// A pattern that cannot be understood.
package struct GlobError: Error, CustomStringConvertible {
    package let description: String
}
