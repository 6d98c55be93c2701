import Glibc

/// Bytes that grow and are kept from batch to batch, so that the steady path allocates nothing.
///
/// Invariant: `count <= capacity`, and `base` has `capacity` bytes (nil when that is 0). Whoever keeps a pointer into
/// it knows that no call that can grow it comes in between.
@safe struct GrowingBytes: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    var count = 0

    init() {}

    deinit { unsafe free(base) }

    /// Makes room for `extra` bytes more; false when there is no memory for them.
    mutating func reserve(_ extra: Int) -> Bool {
        let needed = count + extra
        return needed <= capacity || grow(to: needed)
    }

    private mutating func grow(to needed: Int) -> Bool {
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

    /// Appends `size` bytes. Room has been reserved.
    @inline(__always)
    mutating func append(_ source: UnsafeRawPointer?, _ size: Int) {
        guard size > 0, let source = unsafe source, let base = unsafe base else { return }
        unsafe memcpy(base + count, source, size)
        count += size
    }

    /// Gives memory back that an exceptional batch has needed.
    mutating func trim(above limit: Int) {
        guard capacity > limit, count == 0 else { return }
        unsafe free(base)
        unsafe base = nil
        capacity = 0
    }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }
    var room: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: base, count: capacity) }
}
