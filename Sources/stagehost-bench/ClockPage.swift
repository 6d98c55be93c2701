import CBench

/// The page in which a stage of the benchmarks notes which batch it began, and when, by a clock that all processes share.
@safe final class ClockPage {
    let path: String
    private let page: OpaquePointer

    init(_ path: String) throws(BenchError) {
        guard let page = unsafe cbench_page_open(path) else { throw .failed("\(path): cannot be mapped") }
        self.path = path
        unsafe self.page = page
    }

    deinit { unsafe cbench_page_close(page) }

    var count: UInt64 { unsafe cbench_page_count(page) }

    subscript(number: UInt64) -> cbench_mark { unsafe cbench_page_mark(page, number) }

    var last: cbench_mark? { count == 0 ? nil : self[count - 1] }

    /// Looks again and again until `find` has found something.
    ///
    /// - Returns: Nil when the program has ended, or a minute has passed, before that.
    func wait<Found>(while child: Child, for find: (ClockPage) -> Found?) -> Found? {
        let deadline = cbench_now() + 60_000_000_000
        while cbench_now() < deadline {
            if let found = find(self) { return found }
            if child.hasEnded { return find(self) }
            cbench_pause(100_000)
        }
        return nil
    }
}
