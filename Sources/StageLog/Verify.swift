/// What `StageLog.verify` has to say about one place in a log.
package struct Finding: Equatable, Sendable, CustomStringConvertible {
    package enum State: String, Sendable {
        /// Every entry is valid, sections included.
        case whole
        /// The end of the last segment was cut short by a crash: opening the log puts it in order.
        case torn
        /// Opening the log may refuse it, reading from it will.
        case damaged
        /// A file that the next opening removes.
        case leftover
    }

    package var state: State
    package var file: String
    package var offset: UInt64?
    /// Of the file, or of the torn or damaged stretch.
    package var bytes: UInt64 = 0
    /// Valid entries in the file; 0 for a place.
    package var entries = 0
    package var expected = ""
    package var found = ""

    package var description: String {
        switch state {
        case .whole: "\(file): whole, \(entries) entries, \(bytes) bytes"
        case .leftover: "\(file): left over from a crash, \(bytes) bytes"
        case .torn, .damaged:
            "\(file)\(offset.map { " at byte \($0)" } ?? ""): \(state.rawValue), \(bytes) bytes: "
                + "found \(found), expected \(expected)"
        }
    }
}

extension StageLog {
    /// Walks every segment and checks every checksum, sections included. Modifies nothing. One finding for each whole
    /// file and one for each place that is torn or damaged.
    package static func verify(disk: any Disk, folder: String) throws(LogError) -> [Finding] {
        let names = try onDisk { () throws(DiskError) in try disk.list(folder) }.sorted()
        let numbers = names.compactMap(SegmentName.number)
        guard let last = numbers.last else {
            throw LogError(
                .missing, file: folder, expected: "a log", found: "no segment",
                help: "give the folder of a stage that has run")
        }
        var findings: [Finding] = []
        var first: UInt64 = 1
        var surveys: [SegmentSurvey] = []
        for number in numbers { surveys.append(try SegmentSurvey(SegmentReader(disk, folder: folder, number: number))) }
        for survey in surveys { first = survey.mark?.firstSegment ?? first }
        for (position, survey) in surveys.enumerated() {
            if survey.number < first {
                findings.append(Finding(state: .leftover, file: survey.path, bytes: survey.size))
                continue
            }
            let next = position + 1 < surveys.count ? surveys[position + 1] : nil
            let places = survey.findings(before: survey.number == last ? nil : next)
            findings += places
            if places.isEmpty {
                findings.append(
                    Finding(state: .whole, file: survey.path, bytes: survey.size, entries: survey.entries.count))
            }
        }
        for name in names where name.hasSuffix(".log.new") {
            findings.append(Finding(state: .leftover, file: folder + "/" + name))
        }
        // What no segment shows by itself: one that is missing, or entries that do not belong together.
        if !findings.contains(where: { $0.state == .damaged }) {
            do throws(LogError) { _ = try LogAnalysis.make(disk, folder: folder) } catch {
                guard error.code != .io else { throw error }
                findings.append(Finding(error))
            }
        }
        return findings
    }
}

extension Finding {
    init(_ error: LogError) {
        self.init(
            state: .damaged, file: error.file, offset: error.offset, expected: error.expected, found: error.found)
    }
}

extension SegmentSurvey {
    /// What is wrong with the segment; nothing when it is whole.
    func findings(before next: SegmentSurvey?) -> [Finding] {
        if let next, lacksOnlySeal(before: next) {
            let start = holes.first?.start ?? end
            return [
                Finding(
                    state: .torn, file: path, offset: start, bytes: size - start, expected: "a seal", found: "none")
            ]
        }
        var findings: [Finding] = []
        if let headerError { findings.append(Finding(headerError)) }
        if next == nil && index == nil && indexError == nil, let torn = tornTail {
            findings.append(
                Finding(
                    state: .torn, file: path, offset: torn.start, bytes: size - torn.start,
                    expected: torn.fault.expected, found: torn.fault.found))
            return findings
        }
        for hole in holes {
            findings.append(
                Finding(
                    state: .damaged, file: path, offset: hole.fault.offset, bytes: hole.end - hole.start,
                    expected: hole.fault.expected, found: hole.fault.found))
        }
        if let indexError { findings.append(Finding(indexError)) }
        return findings
    }
}
