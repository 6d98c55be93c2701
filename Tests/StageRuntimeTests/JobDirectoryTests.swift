import Foundation
import LinuxIO
import StageRuntime
import Testing

/// The folder of a job: who has it, and what is kept in it.
@Suite struct JobDirectoryTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/stage-job-" + UUID().uuidString

    private func cleanly(_ body: () throws -> Void) throws {
        defer { try? removeTree(folder) }
        try createFolders(folder)
        try body()
    }

    @Test func oneHostAtATimeHasIt() throws {
        try cleanly {
            let job = folder + "/job"
            #expect(!JobDirectory.isTaken(job))
            do {
                let first = try JobDirectory.take(job)
                let isTaken = first != nil
                #expect(isTaken)
                #expect(JobDirectory.isTaken(job))
                let second = try JobDirectory.take(job)
                let isTakenTwice = second != nil
                #expect(!isTakenTwice)
                _ = consume first
            }
            #expect(!JobDirectory.isTaken(job))
            let third = try JobDirectory.take(job)
            let isTakenAgain = third != nil
            #expect(isTakenAgain)
        }
    }

    @Test func aPluginIsKeptUnderItsContent() throws {
        try cleanly {
            guard let directory = try JobDirectory.take(folder + "/job") else {
                Issue.record("the folder is taken")
                return
            }
            let original = folder + "/libstage-x.so"
            try writeFileAtomically(original, Array("first build".utf8), durable: false)
            let first = try directory.keepPlugin(original)
            try writeFileAtomically(original, Array("other build".utf8), durable: false)
            let other = try directory.keepPlugin(original)
            #expect(first.path != other.path)
            #expect(first.digest != other.digest)
            #expect(try readSmallFile(first.path) == Array("first build".utf8))
            #expect(try readSmallFile(other.path) == Array("other build".utf8))
            #expect(try directory.keepPlugin(original) == other)
        }
    }

    @Test func clearingItKeepsTheLock() throws {
        try cleanly {
            guard let directory = try JobDirectory.take(folder + "/job") else {
                Issue.record("the folder is taken")
                return
            }
            try writeFileAtomically(folder + "/job/job.json", Array("{}".utf8), durable: false)
            try writeFileAtomically(folder + "/job/pages/t.1.page", [0], durable: false)
            try directory.clearPages()
            #expect(try namesIn(folder + "/job/pages").isEmpty)
            #expect(fileExists(folder + "/job/job.json"))
            try directory.clear()
            #expect(!fileExists(folder + "/job/job.json"))
            #expect(JobDirectory.isTaken(folder + "/job"))
        }
    }
}
