import Foundation
import LinuxIO
import StageControl
import Synchronization

/// Work beside the test, which waits for its end.
final class SideThread: Sendable {
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        let ended = ended
        Thread {
            body()
            ended.signal()
        }.start()
    }

    func join() { ended.wait() }
}

/// A host that does nothing but serve its socket, in a thread of its own, the way an event loop does.
final class HostThread {
    private let isToEnd: Flag
    private let thread: SideThread

    /// - Parameter serve: Gets each request, in the thread.
    init(_ server: consuming ControlServer, _ serve: @escaping @Sendable (ControlServer, ControlRequest) -> Void) throws {
        let flag = Flag(try WakeUp())
        isToEnd = flag
        // Nobody else touches the server from now on.
        nonisolated(unsafe) let server = server
        thread = SideThread { unsafe Self.loop(server, flag, serve) }
    }

    func end() {
        isToEnd.raise()
        thread.join()
    }

    private static func loop(_ server: ControlServer, _ end: Flag, _ serve: (ControlServer, ControlRequest) -> Void) {
        guard let poller = try? Poller() else { return }
        try? poller.add(end.wakeUp.descriptor.number, .readable, token: 0)
        try? poller.add(server.listener, .readable, token: .max)
        while !end.isRaised {
            var ready: [(token: UInt64, Readiness)] = []
            try? poller.wait(into: &ready, timeoutMilliseconds: 1_000)
            for (token, readiness) in ready where token != 0 {
                if token == .max {
                    if let client = server.accept(), let number = server.descriptor(of: client) {
                        try? poller.add(number, .readable, token: client)
                    }
                    continue
                }
                if readiness.contains(.writable) { server.writable(token) }
                for request in server.readable(token) { serve(server, request) }
                if let number = server.descriptor(of: token) {
                    try? poller.modify(number, server.wantsToWrite(token) ? [.readable, .writable] : .readable, token: token)
                }
            }
            server.tick(nowNanoseconds: monotonicNanoseconds())
            _ = server.takeClosed()
        }
    }

    private final class Flag: Sendable {
        let wakeUp: WakeUp
        private let raised = Atomic(false)

        init(_ wakeUp: consuming WakeUp) { self.wakeUp = wakeUp }

        var isRaised: Bool { raised.load(ordering: .sequentiallyConsistent) }

        func raise() {
            raised.store(true, ordering: .sequentiallyConsistent)
            wakeUp.signal()
        }
    }
}
