import StageWire

/// A table and its bytes, as they go into one block, and the items that go with them. Reused.
@safe struct Parcel: ~Copyable {
    var table = GrowingBytes()
    var bytes = GrowingBytes()
    var items = ItemWriter()

    init() {}

    /// Memory above this is given back after a batch that has needed it.
    static let keptBytes = 16 << 20

    mutating func removeAll() {
        giveBackRoom()
        table.count = 0
        bytes.count = 0
        bytes.trim(above: Self.keptBytes)
        items.removeAll()
    }

    /// Puts the bytes into `room` as they come, behind the place of a table of so many entries. Nothing has been appended.
    mutating func borrow(_ room: UnsafeMutableRawBufferPointer, entries: Int) {
        let head = Block.length(count: entries, bytes: 0)
        guard head < room.count / 2 else { return }
        unsafe bytes.borrow(UnsafeMutableRawBufferPointer(rebasing: room[head...]))
    }

    /// Nothing is written to a room any more. What is in it does not belong to this parcel from now on.
    mutating func giveBackRoom() { bytes.giveBack() }

    /// Appends a copy of an entry of another parcel's table, with its key and value; false when there is no memory.
    mutating func add(_ entry: TableEntry, from source: UnsafeRawBufferPointer) -> Bool {
        let size = Int(entry.keySize) + Int(entry.valueSize)
        guard reserve(size) else { return false }
        append(
            identifier: entry.identifier, input: entry.input, keySize: Int(entry.keySize), valueSize: Int(entry.valueSize))
        unsafe bytes.append(source.baseAddress.map { unsafe $0 + Int(entry.offset) }, size)
        return true
    }

    /// Makes room for one entry with so many bytes.
    @inline(__always)
    mutating func reserve(_ size: Int) -> Bool {
        table.reserve(WireLimits.tableEntryBytes) && bytes.reserve(size)
    }

    /// Appends an entry whose bytes begin at the end of what is there. Room has been reserved.
    @inline(__always)
    mutating func append(identifier: UInt64, input: UInt32, keySize: Int, valueSize: Int) {
        unsafe TableEntry(
            identifier: identifier, input: input, offset: UInt32(bytes.count), keySize: UInt32(keySize),
            valueSize: UInt32(valueSize)
        ).store(into: table.room, at: table.count)
        table.count += WireLimits.tableEntryBytes
    }

    var entryCount: Int { table.count / WireLimits.tableEntryBytes }

    @inline(__always)
    func entry(_ index: Int) -> TableEntry {
        unsafe TableEntry(loading: table.bytes, at: index * WireLimits.tableEntryBytes)
    }
}
