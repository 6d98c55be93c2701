/// What a repair did.
package struct RepairReport: Equatable, Sendable {
    /// Segments that were written anew, and segments that were missing.
    package var rewritten: [String] = []
    /// Where the damaged files are kept.
    package var kept: [String] = []
    package var entriesKept = 0
    /// Whole entries that had to go because partial entries of theirs are lost.
    package var entriesDropped = 0
    /// Batches up to the highest one known that are not whole now: they are done again.
    package var again: [ClosedRange<UInt64>] = []
}

extension StageLog {
    /// Makes a damaged log usable: keeps every valid entry, keeps the damaged files under another name, and says which
    /// batches are no longer whole. A log without damage is left alone. May be interrupted and called again.
    package static func repair(disk: any Disk, folder: String) throws(LogError) -> RepairReport {
        var repair = try Repair(disk, folder)
        return try repair.run()
    }
}

/// One repair under way.
private struct Repair {
    let disk: any Disk
    let folder: String
    var names: [String]
    var surveys: [UInt64: (survey: SegmentSurvey, reader: SegmentReader)] = [:]
    var report = RepairReport()
    /// Parts so far of the current generation of each batch above the watermark.
    var parts: [UInt64: UInt32] = [:]
    var whole: Set<UInt64> = []
    var highest: UInt64 = 0

    init(_ disk: any Disk, _ folder: String) throws(LogError) {
        self.disk = disk
        self.folder = folder
        names = try onDisk { () throws(DiskError) in try disk.list(folder) }
    }

    mutating func run() throws(LogError) -> RepairReport {
        let numbers = names.compactMap(SegmentName.number).sorted()
        guard let last = numbers.last else {
            throw LogError(
                .missing, file: folder, expected: "a log", found: "no segment",
                help: "give the folder of a stage that has run")
        }
        for number in numbers {
            let reader = try SegmentReader(disk, folder: folder, number: number)
            surveys[number] = (try SegmentSurvey(reader), reader)
        }
        let inOrder = numbers.compactMap { surveys[$0]?.survey }
        for survey in inOrder where survey.headerError?.code == .unsupported {
            if let error = survey.headerError { throw error }
        }
        let mark = inOrder.last { $0.mark != nil }?.mark ?? Mark(firstSegment: numbers[0])
        let identity = inOrder.first { $0.header != nil }?.header?.identity ?? 0
        for survey in inOrder where survey.header.map({ $0.identity != identity }) ?? false {
            throw LogError(
                .foreign, file: survey.path, offset: 16, expected: "log \(hexadecimal(identity))",
                found: "log \(hexadecimal(survey.header?.identity ?? 0))",
                help: "take out the segments that belong to another log")
        }
        highest = mark.watermark
        let first = min(mark.firstSegment, last)
        for number in first...last {
            try mend(number, isLast: number == last, identity, mark)
        }
        if let survey = surveys[last]?.survey, survey.isSealed {
            let next = NewSegment(identity: identity, number: last + 1, predecessor: 0, mark: mark)
            _ = try next.create(disk, folder: folder)
            report.rewritten.append(folder + "/" + SegmentName.of(last + 1))
        }
        report.again = ranges(above: mark.watermark)
        return report
    }

    private mutating func mend(
        _ number: UInt64, isLast: Bool, _ identity: UInt64, _ mark: Mark
    ) throws(LogError) {
        guard let (survey, reader) = surveys[number] else {
            try rewrite(number, [], nil, seal: !isLast, identity, mark)
            return
        }
        highest = max(highest, survey.lostBatches.max() ?? 0)
        let isTorn = isLast && !survey.isSealed && survey.tornTail != nil
        let tornAt = survey.tornTail?.start ?? .max
        var kept: [EntryHeader] = []
        var places: [PlacedHeader] = []
        var isChanged = false
        for placed in survey.entries where !isTorn || placed.offset < tornAt {
            var header = placed.header
            let keeps = admit(&header, above: mark.watermark)
            if !keeps {
                report.entriesDropped += 1
                isChanged = true
                continue
            }
            if header != placed.header { isChanged = true }
            kept.append(header)
            places.append(placed)
        }
        report.entriesKept += kept.count
        let next = surveys[number + 1]?.survey
        if !isChanged, let next, survey.lacksOnlySeal(before: next) { return }
        let isDamaged = survey.headerError != nil || survey.indexError != nil || (!survey.holes.isEmpty && !isTorn)
        let lacksSeal = !isLast && !survey.isSealed
        if isDamaged || isChanged || lacksSeal || survey.entries.first?.header.entry.type != .mark {
            try rewrite(
                number, Array(zip(kept, places)), reader, seal: !isLast || survey.isSealed, identity, mark)
        }
    }

    /// Whether the entry may stay; its number of parts is set to what is there.
    private mutating func admit(_ header: inout EntryHeader, above watermark: UInt64) -> Bool {
        let batch = header.entry.batch
        guard header.entry.type == .whole || header.entry.type == .partial, batch > watermark else { return true }
        highest = max(highest, batch)
        let before = parts[batch] ?? 0
        if header.entry.type == .partial {
            header.parts = UInt16(truncatingIfNeeded: before)
            parts[batch] = before + 1
            return true
        }
        guard header.parts == UInt16(truncatingIfNeeded: before) else { return false }
        parts[batch] = nil
        whole.insert(batch)
        return true
    }

    /// Writes the segment anew from its valid entries, then puts it in the place of the damaged one.
    private mutating func rewrite(
        _ number: UInt64, _ entries: [(header: EntryHeader, place: PlacedHeader)], _ reader: SegmentReader?, seal: Bool,
        _ identity: UInt64, _ mark: Mark
    ) throws(LogError) {
        let path = folder + "/" + SegmentName.of(number)
        let unnamed = path + ".new"
        let needsMark = entries.first?.header.entry.type != .mark
        let disk = disk
        if names.contains(SegmentName.of(number) + ".new") {
            try onDisk { () throws(DiskError) in try disk.unlink(unnamed) }
        }
        let file = try onDisk { () throws(DiskError) in try disk.create(unnamed) }
        var end = UInt64(SegmentHeader.byteCount)
        var records: [IndexRecord] = []
        if needsMark {
            let start = NewSegment(identity: identity, number: number, predecessor: 0, mark: mark)
            let bytes = start.encoded
            try onDisk { () throws(DiskError) in try file.writeAll(bytes, at: 0) }
            records.append(IndexRecord(start.markHeader, offset: UInt32(end)))
            end = NewSegment.byteCount
        }
        for (header, place) in entries {
            guard let reader else { break }
            var header = header
            header.synced = UInt32(truncatingIfNeeded: end)
            let length = Int(header.contentBytes) - EntryHeader.byteCount
            let sections = try reader.bytes(at: place.offset + UInt64(EntryHeader.byteCount), count: length)
            let padding = [UInt8](repeating: 0, count: Int(header.paddedBytes - header.contentBytes))
            let bytes = header.encoded(segment: number, offset: end) + sections + padding
            let offset = end
            try onDisk { () throws(DiskError) in try file.writeAll(bytes, at: offset) }
            records.append(IndexRecord(header, offset: UInt32(truncatingIfNeeded: end)))
            end += header.paddedBytes
        }
        let start = SegmentHeader(
            created: UInt32(truncatingIfNeeded: end), identity: identity, number: number, predecessor: 0)
        let sealBytes = seal ? SealEntry.encoded(records, number: number, at: end) : []
        let dataEnd = end
        try onDisk { () throws(DiskError) in
            try file.writeAll(start.encoded, at: 0)
            try file.writeAll(sealBytes, at: dataEnd)
            try file.sync()
        }
        if let reader { report.kept.append(try keep(reader)) }
        try onDisk { () throws(DiskError) in
            try disk.rename(unnamed, to: path)
            try disk.syncFolder(folder)
        }
        report.rewritten.append(path)
    }

    /// Keeps the damaged file as a copy. Not by renaming it: then a crash before the new one has its name would leave
    /// neither.
    private func keep(_ reader: SegmentReader) throws(LogError) -> String {
        let name = brokenName(reader.path)
        let disk = disk
        try onDisk { () throws(DiskError) in
            let copy = try disk.create(name)
            var offset: UInt64 = 0
            while offset < reader.size {
                let bytes = try reader.file.bytes(at: offset, count: 1 << 20)
                if bytes.isEmpty { break }
                try copy.writeAll(bytes, at: offset)
                offset += UInt64(bytes.count)
            }
            try copy.sync()
        }
        return name
    }

    private func brokenName(_ path: String) -> String {
        var name = path + ".broken"
        var attempt = 1
        while names.contains(String(name.dropFirst(folder.count + 1))) {
            attempt += 1
            name = path + ".broken-\(attempt)"
        }
        return name
    }

    private func ranges(above watermark: UInt64) -> [ClosedRange<UInt64>] {
        var ranges: [ClosedRange<UInt64>] = []
        var next = watermark &+ 1
        for batch in whole.sorted() {
            if batch > next { ranges.append(next...batch - 1) }
            next = batch &+ 1
        }
        if highest >= next { ranges.append(next...highest) }
        return ranges
    }
}
