import LinuxIO
import StageWire
import Synchronization

/// The memory through which large payloads travel: workers write into rooms that the host has given them, everybody reads.
///
/// The host alone decides who has which room. It is of fixed size; when nothing is free, payloads travel through the pipes.
/// Rooms may be let go on any thread.
final class PayloadMemory: Sendable {
    fileprivate static let pageBytes = 4_096

    let memory: SharedMemory
    /// What nobody has, by offset; neighbours are one range.
    private let free: Mutex<[Range<Int>]>

    /// nil where the system does not let us.
    init?(size: Int) {
        guard let memory = try? SharedMemory(name: "stagehost-payloads", size: size) else { return nil }
        self.memory = memory
        free = Mutex([0..<size])
    }

    /// The first free room of `length` bytes, rounded up to pages, in `part` of so many `parts` of the memory or behind it; else
    /// the first of all: what was used before, and is warm, is used again.
    ///
    /// Each stage has its part, because a page must be mapped in each process that writes to it, which costs more than writing.
    func room(_ length: Int, part: Int = 0, of parts: Int = 1) -> Room? {
        let size = Self.rounded(length)
        let begin = memory.size / max(parts, 1) / Self.pageBytes * Self.pageBytes * part
        let start = free.withLock { free -> Int? in
            guard
                let index = free.firstIndex(where: { max($0.lowerBound, begin) + size <= $0.upperBound })
                    ?? free.firstIndex(where: { $0.count >= size })
            else { return nil }
            let range = free[index]
            let start = max(range.lowerBound, begin) + size <= range.upperBound ? max(range.lowerBound, begin) : range.lowerBound
            let rest = [range.lowerBound..<start, start + size..<range.upperBound].filter { !$0.isEmpty }
            free.replaceSubrange(index...index, with: rest)
            return start
        }
        return start.map { Room(memory: self, offset: $0, size: size) }
    }

    fileprivate func release(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        free.withLock { free in
            var low = 0
            var high = free.count
            while low < high {
                let middle = (low + high) / 2
                if free[middle].lowerBound < range.lowerBound { low = middle + 1 } else { high = middle }
            }
            var merged = range
            var replaced = low..<low
            if low < free.count, free[low].lowerBound == range.upperBound {
                merged = merged.lowerBound..<free[low].upperBound
                replaced = low..<low + 1
            }
            if low > 0, free[low - 1].upperBound == range.lowerBound {
                merged = free[low - 1].lowerBound..<merged.upperBound
                replaced = low - 1..<replaced.upperBound
            }
            free.replaceSubrange(replaced, with: CollectionOfOne(merged))
        }
    }

    fileprivate static func rounded(_ length: Int) -> Int {
        (max(length, 1) + pageBytes - 1) / pageBytes * pageBytes
    }
}

/// A part of the payload memory, given away until this object goes.
///
/// One thread at a time until it belongs to a payload; from then on it does not change.
@safe final class Room: @unchecked Sendable {
    private let owner: PayloadMemory
    private(set) var offset: Int
    private(set) var size: Int

    fileprivate init(memory: PayloadMemory, offset: Int, size: Int) {
        owner = memory
        self.offset = offset
        self.size = size
    }

    deinit { owner.release(offset..<offset + size) }

    var place: SharedPlace { SharedPlace(offset: offset, length: size) }

    /// Some of its bytes, which lie inside; valid as long as the room.
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= size)
        return unsafe owner.memory.bytes(offset + range.lowerBound, range.count)
    }

    /// Gives back the pages in which nothing of `range` is.
    func trim(to range: Range<Int>) {
        let end = PayloadMemory.rounded(range.upperBound)
        if end < size {
            owner.release(offset + end..<offset + size)
            size = end
        }
        let before = PayloadMemory.rounded(range.lowerBound + 1) - PayloadMemory.pageBytes
        guard before > 0, before < size else { return }
        owner.release(offset..<offset + before)
        offset += before
        size -= before
    }
}
