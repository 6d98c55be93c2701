import Glibc
import StageKit

/// A program that runs beside this worker, with pipes at its stdin and stdout. Its stderr is the worker's own.
///
/// It stays in the worker's process group, so that the host's kill reaches both; and its stdin ends when the worker does.
final class ChildProgram {
    /// How a program ended.
    enum End {
        case exit(CInt)
        case signal(CInt)
    }

    let pid: pid_t
    /// Ends of the pipes on this side, which never block; -1 once closed.
    private(set) var input: CInt
    let output: CInt

    /// Starts `command`, which is looked up in PATH when its name has no slash.
    init(_ command: [String], adding environment: [String: String]) throws {
        var toChild: [CInt] = [-1, -1]
        var fromChild: [CInt] = [-1, -1]
        guard unsafe pipe(&toChild) == 0 else { throw Self.failure(command, errno) }
        guard unsafe pipe(&fromChild) == 0 else {
            let code = errno
            for descriptor in toChild { Glibc.close(descriptor) }
            throw Self.failure(command, code)
        }
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let (pid, code) = unsafe Spawning.spawn(command, environment: environment, input: toChild[0], output: fromChild[1])
        Glibc.close(toChild[0])
        Glibc.close(fromChild[1])
        guard code == 0 else {
            Glibc.close(toChild[1])
            Glibc.close(fromChild[0])
            throw Self.failure(command, code)
        }
        self.pid = pid
        input = toChild[1]
        output = fromChild[0]
        for descriptor in [input, output] { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
    }

    private static func failure(_ command: [String], _ code: CInt) -> StageFailure {
        let reason = unsafe String(cString: strerror(code))
        guard code == ENOENT || code == EACCES || code == ENOEXEC else { return .retry("\(command[0]): cannot be started: \(reason)") }
        return .fatal(
            "\(command[0]): cannot be started: \(reason); expected a program in PATH, or a path relative to the pipeline file, "
                + "that may be executed")
    }

    /// Tells the program that nothing more will come.
    func closeInput() {
        guard input >= 0 else { return }
        Glibc.close(input)
        input = -1
    }

    /// Waits for the end of the program, whose output has ended.
    func wait() -> End {
        var status: CInt = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? .exit((status >> 8) & 0xFF) : .signal(signal)
    }

    func kill() { _ = Glibc.kill(pid, SIGKILL) }

    deinit {
        closeInput()
        Glibc.close(output)
    }
}

/// The one place with the pointers of posix_spawn.
private enum Spawning {
    /// The pid, or the errno of what went wrong. Signals of the program are as in a shell: nothing blocked or ignored.
    @unsafe static func spawn(
        _ command: [String], environment: [String: String], input: CInt, output: CInt
    ) -> (pid_t, CInt) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        // Null-terminated lists of strings that are freed below; posix_spawn copies what it needs.
        let arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = unsafe merged(environment).map { unsafe strdup($0) } + [nil]
        defer { for unsafe text in unsafe arguments + variables { unsafe free(text) } }
        var pid: pid_t = 0
        let code = unsafe posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
        return (pid, code)
    }

    /// The worker's environment with `added`, which wins.
    private static func merged(_ added: [String: String]) -> [String] {
        var lines: [String] = []
        var at = unsafe environ
        while let line = unsafe at.pointee {
            let text = unsafe String(cString: line)
            let name = String(text.prefix { $0 != "=" })
            if added[name] == nil { lines.append(text) }
            unsafe at += 1
        }
        return lines + added.map { "\($0.key)=\($0.value)" }
    }
}
