import Glibc

/// Bytes that grow and are kept from batch to batch, so that the steady path allocates nothing.
///
/// Invariant: `count <= capacity`, and `base` has `capacity` bytes (nil when that is 0). Whoever keeps a pointer into
/// it knows that no call that can grow it comes in between. While memory of somebody else is borrowed, `kept` is what is to be
/// freed in the end.
@safe struct GrowingBytes: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    var count = 0
    private(set) var isBorrowed = false
    private var kept: UnsafeMutableRawPointer?
    private var keptCapacity = 0

    init() {}

    deinit { unsafe free(isBorrowed ? kept : base) }

    /// Fills `memory` from now on, until `giveBack`, or until it is too small. Empty before.
    mutating func borrow(_ memory: UnsafeMutableRawBufferPointer) {
        giveBack()
        unsafe (kept, keptCapacity) = unsafe (base, capacity)
        unsafe (base, capacity, count, isBorrowed) = (memory.baseAddress, memory.count, 0, true)
    }

    /// Lets borrowed memory go, and what is in it.
    mutating func giveBack() {
        guard isBorrowed else { return }
        unsafe (base, capacity, count, isBorrowed) = (kept, keptCapacity, 0, false)
        unsafe (kept, keptCapacity) = (nil, 0)
    }

    /// Makes room for `extra` bytes more; false when there is no memory for them.
    mutating func reserve(_ extra: Int) -> Bool {
        let needed = count + extra
        return needed <= capacity || grow(to: needed)
    }

    private mutating func grow(to needed: Int) -> Bool {
        if isBorrowed { return moveOut(needed) }
        let rounded = max(4_096, needed + needed / 2)
        // A large buffer may not be doubled where memory is short.
        for size in [rounded, needed] {
            if let moved = unsafe realloc(base, size) {
                unsafe base = unsafe moved
                capacity = size
                return true
            }
        }
        return false
    }

    /// Borrowed memory is too small: what is in it goes into memory of its own.
    private mutating func moveOut(_ needed: Int) -> Bool {
        let borrowed = unsafe room
        let filled = count
        giveBack()
        guard reserve(needed) else {
            unsafe borrow(borrowed)
            count = filled
            return false
        }
        unsafe append(borrowed.baseAddress, filled)
        return true
    }

    /// Appends `size` bytes. Room has been reserved.
    @inline(__always)
    mutating func append(_ source: UnsafeRawPointer?, _ size: Int) {
        guard size > 0, let source = unsafe source, let base = unsafe base else { return }
        unsafe memcpy(base + count, source, size)
        count += size
    }

    /// Gives memory back that an exceptional batch has needed.
    mutating func trim(above limit: Int) {
        guard capacity > limit, count == 0, !isBorrowed else { return }
        unsafe free(base)
        unsafe base = nil
        capacity = 0
    }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }
    var room: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity) }
}
