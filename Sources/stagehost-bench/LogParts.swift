import CBench
import LinuxIO
import StageLog

/// The log of one stage, on the disk of the temporary folder.
struct LogParts {
    let setting: Setting
    let block: [UInt8]

    init(_ setting: Setting, block: [UInt8]) {
        self.setting = setting
        self.block = block
    }

    private var folder: String { setting.scratch.file("log") }

    private func open() throws(BenchError) -> StageLog {
        do throws(LogError) { return try StageLog.open(disk: FileDisk(), folder: folder).log } catch {
            throw .failed("\(error)")
        }
    }

    private func clear() throws(BenchError) {
        try onSystem { () throws(SystemError) in try removeTree(folder) }
    }

    /// Appends `count` entries; every one is made durable on its own if `syncs`.
    private func append(_ count: Int, to log: StageLog, from first: UInt64 = 1, syncs: Bool) throws(BenchError) {
        do throws(LogError) {
            for batch in first..<first + UInt64(count) {
                try log.append(LogEntry(.whole, batch: batch, inputs: 1, passed: 1, outputs: 1), records: block)
                if syncs { try log.sync() }
            }
        } catch {
            throw .failed("\(error)")
        }
    }

    func add(to table: inout ResultTable, name: String, _ rounds: Int) throws(BenchError) {
        for (title, syncs, count) in [("append", false, max(100, 64_000_000 / block.count)), ("append and sync each", true, 200)] {
            var samples: [Double] = []
            for _ in 0..<rounds {
                try clear()
                let log = try open()
                let begun = cbench_now()
                try append(count, to: log, syncs: syncs)
                samples.append(Double(cbench_now() - begun) / 1e9 / Double(count))
            }
            let seconds = Statistics.median(samples)
            table.add("\(title), \(name)", [Double(block.count) / seconds / 1e6, 1 / seconds, seconds * 1e6])
        }
        try clear()
    }

    /// Leaves a synced log of so many entries behind.
    private func make(_ entries: Int) throws(BenchError) {
        let log = try open()
        try append(entries, to: log, syncs: false)
        do throws(LogError) { try log.sync() } catch { throw .failed("\(error)") }
    }

    /// Opens a log of so many entries: one that was synced, as after a crash of the host.
    func addOpen(to table: inout ResultTable, entries: Int, _ rounds: Int) throws(BenchError) {
        try clear()
        try make(entries)
        var samples: [Double] = []
        for _ in 0..<rounds {
            let begun = cbench_now()
            let log = try open()
            samples.append(Double(cbench_now() - begun) / 1e9)
            guard log.committedThrough == UInt64(entries) else {
                throw .failed("log: found \(log.committedThrough) entries, expected \(entries)")
            }
        }
        let seconds = Statistics.median(samples) / Double(entries)
        table.add("open, \(entries) entries of \(block.count) bytes", [Double(block.count) / seconds / 1e6, 1 / seconds, seconds * 1e6])
        try clear()
    }
}
