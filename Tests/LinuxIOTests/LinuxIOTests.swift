import Foundation
import Glibc
import LinuxIO
import Testing

/// The seam to the operating system, against the operating system.
@Suite struct LinuxIOTests {
    private let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/stage-io-" + UUID().uuidString
        try createFolders(folder)
    }

    private func cleanly(_ body: () throws -> Void) throws {
        defer { try? removeTree(folder) }
        try body()
    }

    private func shell(_ command: String, output: Int32? = nil) throws -> ChildProcess {
        let nothing = try Descriptor.open("/dev/null", flags: O_RDWR)
        return try ChildProcess.spawn(
            "/bin/sh", arguments: ["-c", command], environment: ["MARK=\(folder)"],
            descriptors: [nothing.number, output ?? nothing.number, nothing.number], directory: folder)
    }

    @Test func `nobody can change the size of shared memory, or write through the descriptor for readers`() throws {
        let memory = try SharedMemory(name: "test", size: 1 << 16)
        for descriptor in [memory.writing.number, memory.reading.number] {
            #expect(ftruncate(descriptor, 0) != 0)
            #expect(ftruncate(descriptor, 1 << 17) != 0)
        }
        #expect(unsafe mmap(nil, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, memory.reading.number, 0) == MAP_FAILED)
        #expect(unsafe pwrite(memory.reading.number, "no", 2, 0) == -1)
        #expect(unsafe write(memory.writing.number, "stray", 5) == -1, "it would spoil what lies at the beginning")
        #expect(unsafe pwrite(memory.writing.number, "yes", 3, 100) == 3)
        #expect(unsafe String(decoding: memory.bytes(100, 3), as: UTF8.self) == "yes")
    }

    private func end(of child: borrowing ChildProcess) -> LinuxIO.ExitStatus? {
        var wait = pollfd(fd: child.pidfd.number, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&wait, 1, 10_000) == 1 ? child.reap() : nil
    }

    @Test func aChildTellsHowItEnded() throws {
        try cleanly {
            #expect(end(of: try shell("exit 7")) == .exited(7))
            let killed = try shell("kill -11 $$")
            guard case .signaled(let signal, _) = end(of: killed) else {
                Issue.record("it was not killed")
                return
            }
            #expect(signal == SIGSEGV)
        }
    }

    @Test func aProgramThatIsNotThereIsAnErrorThatNamesIt() throws {
        try cleanly {
            #expect(throws: SystemError.self) {
                _ = try ChildProcess.spawn("\(folder)/none", arguments: [], environment: [], descriptors: [], directory: nil)
            }
        }
    }

    @Test func aChildHasItsDescriptorsAndNoOther() throws {
        try cleanly {
            let list = try Descriptor.open("\(folder)/list", flags: O_WRONLY | O_CREAT)
            let more = try Descriptor.open("\(folder)/list", flags: O_RDONLY)
            #expect(end(of: try shell("exec ls /proc/self/fd", output: list.number)) == .exited(0))
            let open = String(decoding: try readSmallFile("\(folder)/list"), as: UTF8.self).split(separator: "\n")
            // The fourth is the folder that `ls` reads.
            #expect(open == ["0", "1", "2", "3"], "\(more.number) is open here")
        }
    }

    @Test func killGroupTakesGrandchildrenAlong() throws {
        try cleanly {
            let ends = try PipeEnds.make()
            let child = try shell("sleep 1000 & echo ready; wait", output: ends.write.number)
            let reader = ends.takeRead()
            var byte: UInt8 = 0
            #expect(unsafe read(reader.number, &byte, 1) == 1)
            child.killGroup()
            #expect(end(of: child) == .signaled(SIGKILL, dumpedCore: false))
            // The end of the pipe comes only when the grandchild has closed it, too.
            reader.makeNonblocking()
            var wait = pollfd(fd: reader.number, events: Int16(POLLIN), revents: 0)
            var count = 1
            while count > 0 || count < 0 && errno == EAGAIN {
                guard unsafe poll(&wait, 1, 5_000) == 1 else { break }
                count = unsafe read(reader.number, &byte, 1)
            }
            #expect(count == 0)
        }
    }

    @Test func processesAreFoundByTheEnvironmentThatTheyWereStartedWith() throws {
        try cleanly {
            let ends = try PipeEnds.make()
            let child = try shell("echo ready; exec sleep 1000", output: ends.write.number)
            var byte: UInt8 = 0
            #expect(unsafe read(ends.read.number, &byte, 1) == 1)
            killProcesses(startedWith: "MARK=\(folder)/other")
            #expect(child.reap() == nil)
            killProcesses(startedWith: "MARK=\(folder)")
            #expect(end(of: child) == .signaled(SIGKILL, dumpedCore: false))
        }
    }

    @Test func aLockIsHeldOnceAndEndsWithItsHolder() throws {
        try cleanly {
            do {
                let first = try FileLock.take("\(folder)/lock")
                let isHeld = first != nil
                #expect(isHeld)
                let second = try FileLock.take("\(folder)/lock")
                let isHeldTwice = second != nil
                #expect(!isHeldTwice)
                _ = consume first
            }
            let third = try FileLock.take("\(folder)/lock")
            let isHeldAgain = third != nil
            #expect(isHeldAgain)
        }
    }

    @Test func aMappedFileHasItsPlaceOnTheDisk() throws {
        try cleanly {
            let page = try MappedFile(creating: "\(folder)/page", size: 1 << 20)
            page.store32(0xfeed, at: 4_096)
            #expect(page.load32(4_096) == 0xfeed)
            var facts = stat()
            #expect(unsafe fstat(page.descriptor, &facts) == 0)
            #expect(facts.st_size == 1 << 20)
            #expect(facts.st_blocks * 512 >= 1 << 20, "a hole would end the process when the disk is full")
        }
    }

    @Test func aFileIsReplacedAsAWhole() throws {
        try cleanly {
            try writeFileAtomically("\(folder)/file", Array("old".utf8), durable: true)
            try writeFileAtomically("\(folder)/file", Array("newer".utf8), durable: false)
            #expect(try readSmallFile("\(folder)/file") == Array("newer".utf8))
            #expect(try namesIn(folder) == ["file"])
            #expect(throws: SystemError.self) { try readSmallFile("\(folder)/file", limit: 4) }
        }
    }

    @Test func removingATreeDoesNotFollowLinks() throws {
        try cleanly {
            try createFolders("\(folder)/keep")
            try createFolders("\(folder)/tree/below")
            try writeFileAtomically("\(folder)/keep/file", [1], durable: false)
            #expect(unsafe symlink("\(folder)/keep", "\(folder)/tree/below/link") == 0)
            try removeTree("\(folder)/tree")
            #expect(try namesIn(folder) == ["keep"])
            #expect(fileExists("\(folder)/keep/file"))
        }
    }

    @Test func aPollerNamesWhatIsReady() throws {
        try cleanly {
            let poller = try Poller()
            let wake = try WakeUp()
            let timer = try MonotonicTimer()
            try poller.add(wake.descriptor.number, .readable, token: 7)
            try poller.add(timer.descriptor.number, .readable, token: 8)
            var ready: [(token: UInt64, Readiness)] = []
            try poller.wait(into: &ready, timeoutMilliseconds: 0)
            #expect(ready.isEmpty)
            wake.signal()
            try poller.wait(into: &ready, timeoutMilliseconds: 5_000)
            #expect(ready.map(\.token) == [7])
            wake.clear()
            ready = []
            timer.set(monotonicNanoseconds() + 1_000_000)
            try poller.wait(into: &ready, timeoutMilliseconds: 5_000)
            #expect(ready.map(\.token) == [8])
        }
    }
}
