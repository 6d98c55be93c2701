import Glibc
import LinuxIO
import StageConfig
import StageReport

/// The tables of one run with what one must know to read them: command, machine, date.
struct Report {
    var benchmark: String
    var arguments: [String]
    var tables: [ResultTable]

    private var command: String { (["stagehost-bench", benchmark] + arguments).joined(separator: " ") }

    private var machine: String {
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let release = (try? readSmallFile("/proc/sys/kernel/osrelease")).map { String(decoding: $0, as: UTF8.self) } ?? "?"
        let load = (try? readSmallFile("/proc/loadavg")).map { String(decoding: $0, as: UTF8.self) } ?? "?"
        return "\(processors) processors, Linux \(release.split(separator: "\n").first ?? "?"), load \(load.split(separator: " ").first ?? "?")"
    }

    private static var isDebug: Bool {
        #if DEBUG
            true
        #else
            false
        #endif
    }

    var text: String {
        var lines = [command, "\(Timestamp.now()), \(machine)"]
        if Self.isDebug { lines.append("debug build: the figures mean nothing") }
        for table in tables {
            lines += ["", table.title]
            guard !table.columns.isEmpty else {
                lines += table.remarks
                continue
            }
            var shown = TextTable([.init(table.subject)] + table.columns.map { .number($0.title) })
            for row in table.rows {
                shown.add([row.name] + zip(row.values, table.columns).map { value, column in Self.number(value, column.digits) })
            }
            lines += shown.lines() + table.remarks
        }
        return lines.joined(separator: "\n")
    }

    var json: String {
        let shown = tables.map { table in
            let rows = table.rows.map { row -> JSONValue in
                .object([.init("name", .string(row.name))] + zip(table.columns, row.values).map { column, value in
                    .init(column.key, value.map(JSONValue.number) ?? .null)
                })
            }
            return JSONValue.object([
                .init("title", .string(table.title)), .init("rows", .array(rows)),
                .init("remarks", .array(table.remarks.map(JSONValue.string))),
            ])
        }
        return JSONValue.object([
            .init("command", .string(command)), .init("at", .string(Timestamp.now())), .init("machine", .string(machine)),
            .init("debug", .boolean(Self.isDebug)), .init("tables", .array(shown)),
        ]).json(indented: true)
    }

    private static func number(_ value: Double?, _ digits: Int) -> String {
        guard let value else { return "" }
        guard value.isFinite else { return "?" }
        return HumanNumbers.fixed(value, digits: digits)
    }
}
