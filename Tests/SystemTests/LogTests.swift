import Foundation
import Glibc
import Testing

/// Damaged logs and full disks.
@Suite struct LogTests {
    /// A job of 600 records whose host was killed half way, with logs that are not empty.
    private func halfDone() throws -> Job {
        let job = try Job(
            600,
            Stages.pipeline(
                Stages.read, Stages.misbehave("each_ms: 2", "workers: 2", name: "slow"), Stages.write,
                options: "batch: { records: 20 }, keep: true,"))
        let host = try job.start()
        try host.until("half of the output") { job.outputKeys().count >= 200 }
        host.killHard()
        return job
    }

    /// The segment files of a stage's log, by path.
    private func segments(of stage: String, in job: Job) throws -> [String] {
        let folder = ".stagehost/job/logs/\(stage)"
        return try FileManager.default.contentsOfDirectory(atPath: job.path(folder)).sorted().map { "\(folder)/\($0)" }
            .filter { job.data($0).count > 200 }
    }

    @Test func damageInTheMiddleIsRefusedAndRepairedOnlyWhenAsked() throws {
        let job = try halfDone()
        let segment = try #require(try segments(of: "01-slow", in: job).first)
        var bytes = job.data(segment)
        bytes[bytes.count / 2] ^= 0x40
        try bytes.write(to: URL(filePath: job.path(segment)))
        let refused = try job.run()
        #expect(refused.code == 65, "\(refused.output)")
        #expect(refused.output.contains("at byte ") && refused.output.contains("stagehost verify"), "\(refused.output)")
        #expect(job.data(segment) == bytes)
        let verified = try job.command("verify", "job")
        #expect(verified.code == 65, "\(verified.output)")
        #expect(try job.command("verify", "job", "--repair").code == 0)
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...600).map(Input.key))
    }

    @Test(arguments: [1, 13, 200]) func aTornTailIsCutWithAReport(_ missing: Int) throws {
        let job = try halfDone()
        let segment = try #require(try segments(of: "01-slow", in: job).last)
        let bytes = job.data(segment)
        try bytes.dropLast(missing).write(to: URL(filePath: job.path(segment)))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        #expect(ended.output.contains("recovered: "), "\(ended.output)")
        #expect(job.outputKeys() == (1...600).map(Input.key))
    }

    /// Mounts a small file system for the test; nil where that is not allowed.
    private func smallDisk() throws -> SmallDisk? {
        guard geteuid() == 0, let mount = Programs.find("mount"), let unmount = Programs.find("umount") else { return nil }
        return try SmallDisk(mount: mount, unmount: unmount)
    }

    @Test(arguments: ["goes on when there is room", "leaves when it is asked twice"])
    func aFullDiskPausesTheJob(_ ending: String) throws {
        guard let disk = try smallDisk() else {
            withKnownIssue("a tmpfs cannot be mounted here: not tested") { Issue.record("needs root") }
            return
        }
        let job = try Job(
            3_000,
            Stages.pipeline(
                Stages.read, Stages.misbehave("each_ms: 1", "workers: 2", name: "slow"), Stages.write,
                options: "batch: { records: 20 }, keep: true,"))
        let host = try job.start("--state-dir", disk.path)
        try host.until("the first records") { !job.data("output.jsonl").isEmpty }
        try disk.fill()
        try host.until("the pause") { host.output.contains("paused: no room on the disk") }
        if ending == "leaves when it is asked twice" {
            host.signal(SIGINT)
            try host.until("the drain") { host.output.contains("once more to leave at once") }
            host.signal(SIGINT)
            let ended = try host.wait(seconds: 10)
            #expect(ended.code == 75, "\(ended.output)")
            job.expectNoProcessLeft()
            disk.makeRoom()
        } else {
            disk.makeRoom()
            try host.until("going on") { host.output.contains("going on") }
            #expect(try host.wait().code == 0)
        }
        let ended = try job.run("--state-dir", disk.path)
        #expect(ended.code == 0, "\(ended.output)")
        #expect(job.outputKeys() == (1...3_000).map(Input.key))
        #expect(try job.command("verify", "job", "--state-dir", disk.path).code == 0)
    }
}

/// A file system of 16 MiB in memory.
final class SmallDisk {
    let path: String
    private let unmount: String
    private var filler: String { path + "/filler" }

    init?(mount: String, unmount: String) throws {
        path = FileManager.default.temporaryDirectory.path + "/stage-disk-" + UUID().uuidString
        self.unmount = unmount
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard try Programs.run(mount, ["-t", "tmpfs", "-o", "size=16m", "tmpfs", path]).code == 0 else {
            try FileManager.default.removeItem(atPath: path)
            return nil
        }
    }

    deinit {
        _ = try? Programs.run(unmount, ["-l", path])
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Takes all the room there is.
    func fill() throws {
        let file = unsafe open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        defer { close(file) }
        let chunk = [UInt8](repeating: 1, count: 4_096)
        while unsafe write(file, chunk, chunk.count) > 0 {}
    }

    func makeRoom() { try? FileManager.default.removeItem(atPath: filler) }
}
