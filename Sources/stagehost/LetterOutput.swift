import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageReport
import StageRuntime
import StageScheduler

/// Where letters go, one after the other, so that their number does not matter.
protocol LetterOutput {
    /// Whether it wants to see all letters, also those beyond a limit.
    var countsAll: Bool { get }
    mutating func add(_ letter: LetterView)
    mutating func finish() throws(CommandFailure)
}

/// JSON Lines on the standard output.
struct LetterLines: LetterOutput {
    private var text = ""
    var countsAll: Bool { false }

    mutating func add(_ letter: LetterView) {
        text += letter.json.json() + "\n"
        if text.utf8.count > 65_536 { flush() }
    }

    mutating func finish() { flush() }

    private mutating func flush() {
        Console.output(text)
        text = ""
    }
}

/// JSON Lines in a file, which is there in full or not at all.
final class LetterExport: LetterOutput {
    private let path: String
    private let temporary: String
    private var file: Descriptor?
    private var waiting: [UInt8] = []
    private var count = 0
    private var failure: SystemError?
    var countsAll: Bool { false }

    init(_ path: String) throws(CommandFailure) {
        self.path = path
        temporary = path + ".new"
        do throws(SystemError) {
            file = try Descriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        } catch {
            throw CommandFailure("the letters cannot be exported: \(error)", .cannotCreate)
        }
    }

    deinit { if file != nil { _ = unsafe unlink(temporary) } }

    func add(_ letter: LetterView) {
        waiting += letter.json.json().utf8
        waiting.append(UInt8(ascii: "\n"))
        count += 1
        if waiting.count > 1 << 20 { flush() }
    }

    func finish() throws(CommandFailure) {
        flush()
        if failure == nil {
            if unsafe rename(temporary, path) == 0 { file = nil } else { failure = SystemError("rename", path, code: errno) }
        }
        if let failure { throw CommandFailure("the letters cannot be exported: \(failure)", .inputOutput) }
        Console.error("\(count) letters written to \(path)")
    }

    private func flush() {
        do throws(SystemError) {
            if failure == nil { try file?.writeAll(waiting) }
        } catch {
            failure = SystemError(error.call, temporary, code: error.code)
        }
        waiting.removeAll(keepingCapacity: true)
    }
}

/// A table of the first letters, and all of them in groups.
struct LetterTable: LetterOutput {
    private struct Group: Hashable {
        var stage: String
        var category: String
        var shape: String
    }

    private struct Size {
        var count = 0
        var first: UInt64
    }

    /// Beyond so many groups the messages have nothing in common.
    private static let mostGroups = 1_000
    private static let groupsShown = 30

    let job: String
    let rows: Int
    private var table: TextTable
    private var groups: [Group: Size] = [:]
    private var ungrouped = 0
    private var count = 0
    var countsAll: Bool { true }

    init(job: String, rows: Int) {
        self.job = job
        self.rows = rows
        table = TextTable([
            .number("letter"), .init("stage"), .init("key"), .init("category"), .number("attempts"), .init("message"),
        ])
    }

    mutating func add(_ letter: LetterView) {
        count += 1
        let facts = letter.facts
        let group = Group(stage: letter.stage, category: facts.category, shape: MessageShape.of(facts.message))
        if groups[group] != nil || groups.count < Self.mostGroups {
            groups[group, default: Size(first: letter.number)].count += 1
        } else {
            ungrouped += 1
        }
        guard table.rows.count < rows else { return }
        table.add([
            "\(letter.number)", letter.stage, PrintableText.line(letter.record.key, limit: 48),
            facts.signal.map { "\(facts.category) \(signalName($0))" } ?? facts.category, "\(facts.attempts)",
            PrintableText.line(facts.message, limit: 200),
        ])
    }

    mutating func finish() {
        guard count > 0 else {
            Screen.show(["\(job): no dead letters"])
            return
        }
        var lines: [String] = []
        if rows > 0 {
            lines += table.lines(width: Screen.width)
            if count > table.rows.count {
                lines.append("… and \(HumanNumbers.count(UInt64(count - table.rows.count))) more: --limit N shows more, --json all")
            }
            lines.append("")
        }
        var summary = TextTable([
            .number("letters"), .init("stage"), .init("category"), .number("first"), .init("message"),
        ])
        let sorted = groups.sorted { ($1.value.count, $0.value.first) < ($0.value.count, $1.value.first) }
        for (group, size) in sorted.prefix(Self.groupsShown) {
            summary.add([
                HumanNumbers.count(UInt64(size.count)), group.stage, group.category, "\(size.first)", group.shape,
            ])
        }
        lines += summary.lines(width: Screen.width)
        let others = ungrouped + sorted.dropFirst(Self.groupsShown).reduce(0) { $0 + $1.value.count }
        if others > 0 { lines.append("and \(HumanNumbers.count(UInt64(others))) letters of other kinds") }
        lines.append("\(HumanNumbers.count(UInt64(count))) dead letter\(count == 1 ? "" : "s")")
        Screen.show(lines)
    }
}
