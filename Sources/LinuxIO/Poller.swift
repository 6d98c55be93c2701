import CLinux
import Glibc

/// What a descriptor is ready for.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    package static let hangup = Readiness(rawValue: 4)
    package static let error = Readiness(rawValue: 8)
}

/// epoll, level triggered: waits for many descriptors at once and names them by tokens.
package struct Poller: ~Copyable {
    private let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try check("epoll_create1", "", clinux_epoll_create()))
    }

    package func add(_ number: Int32, _ wanted: Readiness, token: UInt64) throws(SystemError) {
        try check("epoll_ctl", "add", clinux_epoll_add(descriptor.number, number, wanted.rawValue, token))
    }

    package func modify(_ number: Int32, _ wanted: Readiness, token: UInt64) throws(SystemError) {
        try check("epoll_ctl", "modify", clinux_epoll_modify(descriptor.number, number, wanted.rawValue, token))
    }

    package func remove(_ number: Int32) {
        _ = clinux_epoll_remove(descriptor.number, number)
    }

    /// Waits until something is ready or the time is over (-1: no limit), and appends what is ready to `ready`.
    package func wait(into ready: inout [(token: UInt64, Readiness)], timeoutMilliseconds: Int32) throws(SystemError) {
        var events = [clinux_ready](repeating: clinux_ready(), count: 64)
        let count = unsafe events.withUnsafeMutableBufferPointer {
            unsafe clinux_epoll_wait(descriptor.number, $0.baseAddress, Int32($0.count), timeoutMilliseconds)
        }
        try check("epoll_wait", "", count)
        for event in events.prefix(Int(count)) {
            ready.append((event.token, Readiness(rawValue: event.events)))
        }
    }
}

/// eventfd: one thread wakes another that sits in a poller.
package struct WakeUp: ~Copyable, Sendable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try check("eventfd", "", clinux_eventfd()))
    }

    /// Any thread.
    package func signal() {
        var one: UInt64 = 1
        _ = unsafe Glibc.write(descriptor.number, &one, 8)
    }

    package func clear() {
        var count: UInt64 = 0
        _ = unsafe Glibc.read(descriptor.number, &count, 8)
    }
}

/// timerfd on the monotonic clock.
package struct MonotonicTimer: ~Copyable {
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try check("timerfd_create", "", clinux_timerfd()))
    }

    /// Fires at `nanoseconds` of the monotonic clock; nil: never.
    package func set(_ nanoseconds: UInt64?) {
        _ = clinux_timerfd_set(descriptor.number, nanoseconds.map { max($0, 1) } ?? 0)
    }

    package func clear() {
        var count: UInt64 = 0
        _ = unsafe Glibc.read(descriptor.number, &count, 8)
    }
}

/// signalfd: signals as something to read.
package struct SignalReader: ~Copyable {
    package let descriptor: Descriptor

    /// Blocks the signals in the calling thread; threads made later inherit that.
    package init(_ signals: [Int32]) throws(SystemError) {
        let result = unsafe signals.withUnsafeBufferPointer {
            unsafe clinux_signalfd($0.baseAddress, Int32($0.count))
        }
        descriptor = Descriptor(owning: try check("signalfd", "", result))
    }

    /// Blocks signals in the calling thread before anybody reads them: they wait, and kill nobody.
    package static func hold(_ signals: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// The next signal that waits; nil: none.
    package func next() -> Int32? {
        let signal = clinux_signalfd_next(descriptor.number)
        return signal > 0 ? signal : nil
    }
}

/// Nanoseconds of CLOCK_MONOTONIC.
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
