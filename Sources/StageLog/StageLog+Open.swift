import CLinux

extension StageLog {
    /// Opens the log in a folder, or begins one; puts in order what a crash left, and says what that was.
    ///
    /// Reads no sections except of the few entries that may not have been synced. Throws `damaged` without having
    /// modified anything.
    package static func open(
        disk: any Disk, folder: String, options: LogOptions = LogOptions()
    ) throws(LogError) -> (log: StageLog, recovery: Recovery) {
        if options.readOnly { return try look(disk, folder, options) }
        try onDisk { () throws(DiskError) in try disk.createFolder(folder) }
        guard var analysis = try LogAnalysis.make(disk, folder: folder) else {
            return try begin(disk, folder, options)
        }
        try check(analysis, folder, options)
        let active = try apply(&analysis, disk, folder)
        return (StageLog(disk, folder, options, analysis, active: active), analysis.recovery)
    }

    /// Another process may be writing: what looks damaged because a segment was sealed or retired meanwhile does not
    /// when looked at again.
    private static func look(
        _ disk: any Disk, _ folder: String, _ options: LogOptions
    ) throws(LogError) -> (log: StageLog, recovery: Recovery) {
        var attemptsLeft = 4
        while true {
            attemptsLeft -= 1
            do throws(LogError) {
                guard let analysis = try LogAnalysis.make(disk, folder: folder) else {
                    throw LogError(
                        .missing, file: folder, expected: "a log", found: "no segment",
                        help: "give the folder of a stage that has run")
                }
                try check(analysis, folder, options)
                return (StageLog(disk, folder, options, analysis, active: nil), analysis.recovery)
            } catch {
                guard attemptsLeft > 0, error.code == .damaged || error.code == .io else { throw error }
            }
        }
    }

    private static func check(
        _ analysis: LogAnalysis, _ folder: String, _ options: LogOptions
    ) throws(LogError) {
        guard let wanted = options.identity, wanted != analysis.identity else { return }
        throw LogError(
            .foreign, file: folder, expected: "log \(hexadecimal(wanted))",
            found: "log \(hexadecimal(analysis.identity))",
            help: "give every stage of every job a folder of its own")
    }

    private static func begin(
        _ disk: any Disk, _ folder: String, _ options: LogOptions
    ) throws(LogError) -> (log: StageLog, recovery: Recovery) {
        var analysis = LogAnalysis()
        if let identity = options.identity {
            analysis.identity = identity
        } else {
            analysis.identity = try randomIdentity(folder)
        }
        let file = NewSegment(identity: analysis.identity, number: 1, predecessor: 0, mark: Mark())
        let active = try file.create(disk, folder: folder)
        file.enter(&analysis.index, &analysis.segments)
        analysis.recovery.reports.append(RecoveryReport(kind: .created, file: folder))
        return (StageLog(disk, folder, options, analysis, active: active), analysis.recovery)
    }

    private static func randomIdentity(_ folder: String) throws(LogError) -> UInt64 {
        var identity: UInt64 = 0
        let result = unsafe clinux_getrandom(&identity, 8)
        if result < 0 { throw LogError(DiskError("getrandom", folder, -result)) }
        return identity
    }

    /// Does what the analysis found necessary. Every step can be interrupted and done again.
    private static func apply(
        _ analysis: inout LogAnalysis, _ disk: any Disk, _ folder: String
    ) throws(LogError) -> Active {
        let last = analysis.segments[analysis.segments.count - 1]
        let path = folder + "/" + SegmentName.of(last.number)
        let file = try onDisk { () throws(DiskError) in try disk.open(path, writable: true) }
        let end = analysis.end
        let isTorn = analysis.isTorn
        try onDisk { () throws(DiskError) in
            if isTorn { try file.truncate(to: end) }
            // Also when nothing was torn: what is there may never have been synced, and is relied upon from now on.
            try file.sync()
        }
        let active = Active(number: last.number, path: path, file: file, end: end)
        if analysis.needsSeal {
            let before = analysis.segments.count - 2
            analysis.segments[before].bytes = try sealAgain(analysis, before, disk, folder)
        }
        if !analysis.leftovers.isEmpty {
            for name in analysis.leftovers {
                let path = folder + "/" + name
                try onDisk { () throws(DiskError) in try disk.unlink(path) }
                analysis.recovery.reports.append(RecoveryReport(kind: .leftover, file: path))
            }
            try onDisk { () throws(DiskError) in try disk.syncFolder(folder) }
        }
        return active
    }

    private static func sealAgain(
        _ analysis: LogAnalysis, _ position: Int, _ disk: any Disk, _ folder: String
    ) throws(LogError) -> UInt64 {
        let segment = analysis.segments[position]
        let path = folder + "/" + SegmentName.of(segment.number)
        let first = segment.firstOrdinal
        let count = Int(analysis.segments[position + 1].firstOrdinal - first)
        let records = analysis.index.records(from: first).prefix(count)
        let bytes = SealEntry.encoded(records, number: segment.number, at: segment.bytes)
        return try onDisk { () throws(DiskError) in
            let file = try disk.open(path, writable: true)
            try file.truncate(to: segment.bytes)
            try file.writeAll(bytes, at: segment.bytes)
            try file.sync()
            return segment.bytes + UInt64(bytes.count)
        }
    }
}
