/// The content of one file of a `SimulatedDisk`: what a reader sees, what is on stable storage, and what lies between.
struct SimulatedContent {
    enum Change {
        case write([UInt8], at: Int)
        case truncate(to: Int)
    }

    private(set) var visible: [UInt8] = []
    private(set) var durable: [UInt8] = []
    private var pending: [Change] = []

    init(durable: [UInt8] = []) {
        self.durable = durable
        visible = durable
    }

    mutating func apply(_ change: Change) {
        Self.apply(change, to: &visible)
        pending.append(change)
    }

    mutating func sync() {
        durable = visible
        pending = []
    }

    /// What the file holds after a power loss.
    func remains(after loss: PowerLoss, using random: inout SeededRandom) -> [UInt8] {
        switch loss {
        case .nothingLost: return visible
        case .allLost: return durable
        case .prefixKept:
            return remains(ofFirst: Int.random(in: 0...pending.count, using: &random), using: &random)
        case .lastWriteTorn:
            return remains(ofFirst: pending.count, using: &random)
        case .sectorsKept, .sectorsAndNamesKept:
            return sectors(using: &random)
        }
    }

    private func remains(ofFirst count: Int, using random: inout SeededRandom) -> [UInt8] {
        var bytes = durable
        for (position, change) in pending.prefix(count).enumerated() {
            if position == count - 1, case .write(let data, let offset) = change {
                let kept = Int.random(in: 0...data.count, using: &random)
                Self.apply(.write(Array(data.prefix(kept)), at: offset), to: &bytes)
            } else {
                Self.apply(change, to: &bytes)
            }
        }
        return bytes
    }

    /// The length may be any that the file had since the last sync; each sector may be old, new, or, where it was never
    /// written, zero.
    private func sectors(using random: inout SeededRandom) -> [UInt8] {
        var lengths = [durable.count]
        var copy = durable
        for change in pending {
            Self.apply(change, to: &copy)
            lengths.append(copy.count)
        }
        let length = lengths.randomElement(using: &random) ?? durable.count
        var bytes = [UInt8](repeating: 0, count: length)
        for start in stride(from: 0, to: length, by: 512) {
            let source = Bool.random(using: &random) ? visible : durable
            for place in start..<min(start + 512, length) where place < source.count { bytes[place] = source[place] }
        }
        return bytes
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let data, let offset):
            if offset + data.count > bytes.count {
                bytes += [UInt8](repeating: 0, count: offset + data.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<offset + data.count, with: data)
        case .truncate(let size):
            if size < bytes.count {
                bytes.removeLast(bytes.count - size)
            } else {
                bytes += [UInt8](repeating: 0, count: size - bytes.count)
            }
        }
    }
}

/// An open file of a `SimulatedDisk`. Goes on reading and writing its file when that is renamed or unlinked.
final class SimulatedFile: DiskFile {
    private let disk: SimulatedDisk
    private let path: String
    private let inode: Int

    init(_ disk: SimulatedDisk, _ path: String, _ inode: Int) {
        self.disk = disk
        self.path = path
        self.inode = inode
    }

    func size() throws(DiskError) -> UInt64 { UInt64(try disk.content(inode, path).visible.count) }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
        let bytes = try disk.content(inode, path).visible
        guard offset < UInt64(bytes.count) else { return 0 }
        let start = Int(offset)
        let count = min(buffer.count, bytes.count - start)
        unsafe bytes.withUnsafeBytes { source in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
        }
        return count
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) -> Int {
        let bytes = unsafe parts.reduce(into: [UInt8]()) { unsafe $0.append(contentsOf: $1) }
        return try disk.write(bytes, at: Int(offset), inode, path)
    }

    func truncate(to size: UInt64) throws(DiskError) { try disk.truncate(to: Int(size), inode, path) }

    func sync() throws(DiskError) { try disk.sync(inode, path) }
}
