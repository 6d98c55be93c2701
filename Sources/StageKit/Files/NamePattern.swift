/// A pattern for one name of a path: `*`, `?`, `[…]`, and what stands for itself.
struct NamePattern: Hashable {
    private enum Piece: Hashable {
        case scalar(Unicode.Scalar)
        case anyOne
        case anyRun
        case oneOf([ClosedRange<Unicode.Scalar>], negated: Bool)
    }

    private var pieces: [Piece] = []

    init(_ pattern: [UInt8]) throws {
        let scalars = Array(String(decoding: pattern, as: UTF8.self).unicodeScalars)
        var at = 0
        while at < scalars.count {
            switch scalars[at] {
            case "*":
                if pieces.last != .anyRun { pieces.append(.anyRun) }
                at += 1
            case "?":
                pieces.append(.anyOne)
                at += 1
            case "[":
                at = try appendSet(scalars, from: at)
            case "\\" where at + 1 < scalars.count:
                pieces.append(.scalar(scalars[at + 1]))
                at += 2
            default:
                pieces.append(.scalar(scalars[at]))
                at += 1
            }
        }
    }

    /// The name itself, when the pattern matches only one.
    var literal: [UInt8]? {
        var text = ""
        for piece in pieces {
            guard case .scalar(let scalar) = piece else { return nil }
            text.unicodeScalars.append(scalar)
        }
        return Array(text.utf8)
    }

    /// Reads a set from its opening bracket; returns the place after the closing one.
    private mutating func appendSet(_ scalars: [Unicode.Scalar], from start: Int) throws -> Int {
        var at = start + 1
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        let negated = at < scalars.count && (scalars[at] == "!" || scalars[at] == "^")
        if negated { at += 1 }
        let first = at
        while at < scalars.count, scalars[at] != "]" || at == first {
            if scalars[at] == "\\", at + 1 < scalars.count { at += 1 }
            let low = scalars[at]
            if at + 2 < scalars.count, scalars[at + 1] == "-", scalars[at + 2] != "]" {
                guard low <= scalars[at + 2] else {
                    throw GlobError(description: "the range \(low)-\(scalars[at + 2]) in [ ] is the wrong way round")
                }
                ranges.append(low...scalars[at + 2])
                at += 3
            } else {
                ranges.append(low...low)
                at += 1
            }
        }
        guard at < scalars.count else {
            let text = String(String.UnicodeScalarView(scalars))
            throw GlobError(description: "found \(JSON.quote(text)), expected a ] after the [; write \\[ for a bracket itself")
        }
        pieces.append(.oneOf(ranges, negated: negated))
        return at + 1
    }

    /// Whether the whole of `name` matches. A name that is not UTF-8 is seen with replacement characters.
    func matches(_ name: [UInt8]) -> Bool {
        if name.first == UInt8(ascii: "."), pieces.first != .scalar(".") { return false }
        let scalars = Array(String(decoding: name, as: UTF8.self).unicodeScalars)
        // The usual walk with one place to fall back to: the last star and what it has swallowed.
        var (at, piece) = (0, 0)
        var star: (piece: Int, at: Int)?
        while at < scalars.count {
            if piece < pieces.count, pieces[piece] == .anyRun {
                star = (piece, at)
                piece += 1
            } else if piece < pieces.count, matches(pieces[piece], scalars[at]) {
                piece += 1
                at += 1
            } else if let last = star {
                star = (last.piece, last.at + 1)
                piece = last.piece + 1
                at = last.at + 1
            } else {
                return false
            }
        }
        while piece < pieces.count, pieces[piece] == .anyRun { piece += 1 }
        return piece == pieces.count
    }

    private func matches(_ piece: Piece, _ scalar: Unicode.Scalar) -> Bool {
        switch piece {
        case .scalar(let wanted): wanted == scalar
        case .anyOne, .anyRun: true
        case .oneOf(let ranges, let negated): ranges.contains { $0.contains(scalar) } != negated
        }
    }
}

/// `{a,b}` in a pattern, written out.
enum Braces {
    /// More than this is taken for a mistake.
    static let maximumAlternatives = 10_000

    static func expand(_ pattern: [UInt8]) throws -> [[UInt8]] {
        guard let open = firstOpen(pattern) else { return [pattern] }
        var depth = 0
        var starts = [open + 1]
        var at = open
        while at < pattern.count {
            switch pattern[at] {
            case UInt8(ascii: "\\"): at += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ",") where depth == 1: starts.append(at + 1)
            case UInt8(ascii: "}"): depth -= 1
            default: break
            }
            if depth == 0 { break }
            at += 1
        }
        guard depth == 0, at < pattern.count else {
            let text = String(decoding: pattern, as: UTF8.self)
            throw GlobError(description: "found \(JSON.quote(text)), expected a } after the {; write \\{ for a brace itself")
        }
        let ends = starts.dropFirst().map { $0 - 1 } + [at]
        var result: [[UInt8]] = []
        for (start, end) in zip(starts, ends) {
            let whole = Array(pattern[..<open]) + pattern[start..<end] + pattern[(at + 1)...]
            result += try expand(whole)
            guard result.count <= maximumAlternatives else {
                throw GlobError(description: "the { } of the pattern stand for more than \(maximumAlternatives) patterns")
            }
        }
        return result
    }

    private static func firstOpen(_ pattern: [UInt8]) -> Int? {
        var at = 0
        while at < pattern.count {
            if pattern[at] == UInt8(ascii: "\\") {
                at += 2
                continue
            }
            if pattern[at] == UInt8(ascii: "{") { return at }
            at += 1
        }
        return nil
    }
}
